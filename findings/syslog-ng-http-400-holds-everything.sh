#!/bin/bash
# WHAT: syslog-ng's http() destination sends a batch that was answered 400 again and again, without an end,
#   and every message behind it waits. response-action(400 => drop) is what lets it go on.
# VERSIONS: syslog-ng 3.38.1-5+deb12u1 (Debian 12).
# GUESS: 400 is the client's fault and final (RFC 9110, 15.5.1), so the batch is dropped with a word in the
#   log, as most senders do.
# SEEN (2026-11-28):
#   as it comes, time-reopen(1):    the line that is answered 400: asked 23 times in 20 s; behind it arrived: 0
#   response-action(400 => drop):   asked 1 times; behind it arrived: 5
# FOREBAY: doc/clients/syslog-ng.md.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
DAEMON='' SERVER=''
cleanup() {
	for p in $DAEMON $SERVER; do { kill -KILL "$p" && wait "$p"; } 2>/dev/null || true; done
	rm -rf "$W"
}
trap cleanup EXIT
cd "$W"
apt-get -q download syslog-ng-core=3.38.1-5+deb12u1 syslog-ng-mod-http=3.38.1-5+deb12u1 \
    libnet1=1.1.6+dfsg-3.2 >apt.log 2>&1 ||
    { echo "apt-get cannot download syslog-ng 3.38.1-5+deb12u1"; exit 69; }
for p in *.deb; do dpkg -x "$p" "$W"; done
export LD_LIBRARY_PATH=$W/usr/lib/syslog-ng:$W/usr/lib/x86_64-linux-gnu
# Answers 400 to what holds "bad", 200 to the rest, and writes down what came.
cat >server.mjs <<'END'
import http from 'node:http';
import { appendFileSync } from 'node:fs';
http.createServer((q, a) => {
	let body = '';
	q.on('data', d => body += d).on('end', () => {
		const bad = body.includes('bad');
		appendFileSync('asked', (bad ? 'bad' : 'good') + '\n');
		a.writeHead(bad ? 400 : 200).end();
	});
}).listen(0, '127.0.0.1', function () { appendFileSync('port', String(this.address().port)); });
END
node server.mjs &
SERVER=$!
for _ in {1..100}; do [ -s port ] && break; sleep 0.1; done

# try_with OPTIONS: one bad line, then five good ones; sets BAD and GOOD
try_with() {
	rm -rf asked log persist
	: >asked
	cat >conf <<-END
		@version: 3.38
		source s { unix-dgram("$W/log"); };
		destination d { http(url("http://127.0.0.1:$(cat port)/") method("POST") body("\$MESSAGE") batch-lines(1) $1); };
		log { source(s); destination(d); };
	END
	"$W/usr/sbin/syslog-ng" -F --no-caps -f conf -R persist -p pid -c ctl \
	    --module-path="$(dirname "$(find "$W/usr/lib" -name libafsocket.so)")" >>syslog-ng.log 2>&1 &
	DAEMON=$!
	for _ in {1..100}; do [ -S log ] && break; sleep 0.1; done
	[ -S log ] || { tail -n 3 syslog-ng.log; echo "syslog-ng does not start here"; exit 69; }
	logger -d -u "$W/log" bad
	for _ in {1..100}; do grep -q bad asked && break; sleep 0.1; done
	for n in 1 2 3 4 5; do logger -d -u "$W/log" "good $n"; done
	for _ in {1..200}; do [ "$(grep -c good asked)" -lt 5 ] || break; sleep 0.1; done
	BAD=$(grep -c bad asked) GOOD=$(grep -c good asked) || true
	kill -TERM "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=''
}
try_with 'time-reopen(1)'
echo "as it comes, time-reopen(1):    the line that is answered 400: asked $BAD times in 20 s; behind it arrived: $GOOD"
held=$GOOD
try_with 'time-reopen(1) response-action(400 => drop)'
echo "response-action(400 => drop):   asked $BAD times; behind it arrived: $GOOD"
[ "$held" = 0 ] && [ "$GOOD" = 5 ] || { echo "changed"; tail -n 5 syslog-ng.log; exit 1; }
