#!/usr/bin/python3
"""Between a client and PostgreSQL, on unix sockets: passes every byte on, and for some
COMMITs of transactions that loaded rows cuts the connection after the COMMIT went to
the server and before its answer comes back; now before the server has answered, now
after.

usage: cut_proxy.py LISTEN SERVER SEED COUNT-FILE CUTS

Each cut is a line of COUNT-FILE. After CUTS of them everything is passed on.
"""
import os
import random
import select
import socket
import sys
import threading


class Cuts:
    def __init__(self, seed, path, most):
        self.random = random.Random(seed)
        self.path, self.left = path, most
        self.lock = threading.Lock()

    def wanted(self):
        with self.lock:
            return self.left > 0 and self.random.random() < 0.5

    def early(self):
        with self.lock:
            return self.random.random() < 0.5

    def note(self, what):
        with self.lock:
            self.left -= 1
            with open(self.path, "a") as f:
                f.write(what + "\n")


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def from_client(client, started):
    """One whole message as (type, bytes)."""
    kind = read_exactly(client, 1) if started else b""
    size = read_exactly(client, 4)
    return kind, kind + size + read_exactly(client, int.from_bytes(size, "big") - 4)


def serve(client, server, cuts):
    started = loading = False
    while True:
        ready, _, _ = select.select([client, server], [], [])
        if server in ready:
            data = server.recv(65536)
            if not data:
                return
            client.sendall(data)
        if client not in ready:
            continue
        kind, message = from_client(client, started)
        server.sendall(message)
        # a request for encryption is answered by one byte, and the start comes again
        started = started or int.from_bytes(message[4:8], "big") >> 16 == 3
        loading = loading or kind == b"d"
        if kind != b"Q" or not message[5:].startswith(b"COMMIT"):
            continue
        if loading and cuts.wanted():
            early = cuts.early()
            if not early:
                server.recv(65536)
            cuts.note("before the answer" if early else "after the answer")
            return
        loading = False


def handle(client, path, cuts):
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(path)
        serve(client, server, cuts)
    except (EOFError, OSError):
        pass
    finally:
        client.close()
        server.close()


def main():
    listen, path, seed, counts, most = sys.argv[1:]
    cuts = Cuts(int(seed), counts, int(most))
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(listen)
    os.chmod(listen, 0o777)
    sock.listen(16)
    while True:
        client, _ = sock.accept()
        threading.Thread(target=handle, args=(client, path, cuts), daemon=True).start()


main()
