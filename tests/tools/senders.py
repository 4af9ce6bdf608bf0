#!/usr/bin/python3
"""Many senders from one address, over plain HTTP.

  senders.py flood PORT FROM REQUESTS  GETs with a long agent, over few connections
  senders.py slow PORT FROM CONNECTIONS BYTES     begins so many bodies of 4 MB, then a byte a second

flood prints how often each status came. slow says `sent' when no connection takes more of
its BYTES at once, and goes on until it is ended.
"""
import collections
import resource
import selectors
import socket
import sys
import time


def connect(port, source):
    s = socket.socket()
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    return s


def flood(port, source, requests):
    request = b"GET /%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: %s\r\n\r\n" % (b"p" * 3000, b'"' * 3000)
    statuses = collections.Counter()
    while requests:
        n = min(requests, 500)
        with connect(port, source) as s:
            answers = s.makefile("rb")
            for _ in range(0, n, 10):      # what both sides' buffers hold
                s.sendall(request * 10)
                for _ in range(10):
                    statuses[answer(answers)] += 1
        requests -= n
    print(" ".join("%s:%d" % x for x in sorted(statuses.items())))


def answer(lines):
    status = lines.readline().split()[1].decode()
    length = 0
    while (line := lines.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        if line.lower().startswith(b"transfer-encoding:"):
            length = -1
    if length >= 0:
        lines.read(length)
    else:
        while (n := int(lines.readline(), 16)) > 0:
            lines.read(n + 2)
        lines.readline()
    return status


class Slow:
    """Bodies that never end."""

    def __init__(self, port, source, size):
        self.port, self.source, self.size = port, source, size
        self.left = {}
        self.selector = selectors.DefaultSelector()

    def open(self, n):
        head = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n"
        for _ in range(n):
            s = socket.socket()
            try:
                s.bind((self.source, 0))
                s.settimeout(5)
                s.connect(("127.0.0.1", self.port))
                s.sendall(head)
            except OSError:
                s.close()
                continue
            s.setblocking(False)
            self.left[s] = self.size
            self.selector.register(s, selectors.EVENT_WRITE)

    def send(self, s, n):
        try:
            return s.send(b" " * n)
        except BlockingIOError:
            return 0
        except OSError:
            self.left.pop(s)
            if s in self.selector.get_map():
                self.selector.unregister(s)
            s.close()
            return 0

    def fill(self):
        while events := self.selector.select(1):
            for key, _ in events:
                s = key.fileobj
                sent = self.send(s, min(self.left[s], 65536))
                if s in self.left:
                    self.left[s] -= sent
                    if self.left[s] <= 0:
                        self.selector.unregister(s)

    def drip(self):
        while True:
            time.sleep(1)
            for s in list(self.left):
                self.send(s, 1)


def main():
    what, port, source = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if what == "flood":
        flood(port, source, int(sys.argv[4]))
        return
    slow = Slow(port, source, int(sys.argv[5]))
    slow.open(int(sys.argv[4]))
    slow.fill()
    print("sent, %d open" % len(slow.left), flush=True)
    slow.drip()


main()
