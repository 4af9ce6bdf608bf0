#!/bin/bash
# WHAT: rsyslog's omelasticsearch with bulkmode="off" takes every answer for delivered, 503 too: the
#   message is not tried again, though action.resumeRetryCount="-1" asks for that.
# VERSIONS: rsyslog, rsyslog-elasticsearch 8.2302.0-1+deb12u2 (Debian 12).
# GUESS: an output module reports what failed to the action engine, which suspends and tries again; a
#   server that answers 503 has not taken the message.
# SEEN (2026-11-28):
#   10 messages: 5 answers 503, 5 answers 202; of those answered 503, never sent again: 5
# FOREBAY: searchIndex="v1" searchType="events" makes it post to /v1/events as if made for it: it is not;
#   doc/clients/rsyslog.md.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
DAEMON='' SERVER=''
cleanup() {
	for p in $DAEMON $SERVER; do { kill -KILL "$p" && wait "$p"; } 2>/dev/null || true; done
	rm -rf "$W"
}
trap cleanup EXIT
cd "$W"
apt-get -q download rsyslog=8.2302.0-1+deb12u2 rsyslog-elasticsearch=8.2302.0-1+deb12u2 libestr0=0.1.11-1 \
    libfastjson4=1.2304.0-1 liblognorm5=2.0.6-4 >apt.log 2>&1 ||
    { echo "apt-get cannot download rsyslog 8.2302.0-1+deb12u2"; exit 69; }
for p in *.deb; do dpkg -x "$p" "$W"; done
LIB=$W/usr/lib/x86_64-linux-gnu

# While the file "away" is there every POST is answered 503, else 202; each is written down.
cat >server.mjs <<'END'
import http from 'node:http';
import { appendFileSync, existsSync } from 'node:fs';
http.createServer((q, a) => {
	let body = '';
	q.on('data', d => body += d).on('end', () => {
		const status = q.method === 'POST' && existsSync('away') ? 503 : q.method === 'POST' ? 202 : 200;
		if (q.method === 'POST') appendFileSync('asked', status + ' ' + body.trim() + '\n');
		a.writeHead(status, { 'Content-Type': 'application/json' }).end('{}');
	});
}).listen(0, '127.0.0.1', function () { appendFileSync('port', String(this.address().port)); });
END
node server.mjs &
SERVER=$!
for _ in {1..100}; do [ -s port ] && break; sleep 0.1; done
cat >conf <<END
global(workDirectory="$W")
module(load="imuxsock" SysSock.Use="off")
module(load="omelasticsearch")
input(type="imuxsock" Socket="$W/log" RateLimit.Interval="0")
template(name="line" type="string" string="{\"n\":\"%msg:R,ERE,1:n=([0-9]+)--end%\"}")
action(type="omelasticsearch" server="http://127.0.0.1" serverport="$(cat port)" template="line"
       searchIndex="v1" searchType="events" bulkmode="off"
       action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList")
END
: >asked
: >away
LD_LIBRARY_PATH=$LIB "$W/usr/sbin/rsyslogd" -n -iNONE -M"$LIB/rsyslog/" -f conf >rsyslogd.log 2>&1 &
DAEMON=$!
for _ in {1..100}; do [ -S log ] && break; sleep 0.1; done
[ -S log ] || { tail -n 3 rsyslogd.log; echo "rsyslogd does not start here"; exit 69; }
for n in 1 2 3 4 5; do logger -d -u "$W/log" -t app "n=$n"; done
for _ in {1..200}; do [ "$(grep -c '^503' asked)" -lt 5 ] || break; sleep 0.1; done
rm away
for n in 6 7 8 9 10; do logger -d -u "$W/log" -t app "n=$n"; done
for _ in {1..200}; do [ "$(grep -c '^202' asked)" -lt 10 ] || break; sleep 0.1; done
REFUSED=$(grep -c '^503' asked) TAKEN=$(grep -c '^202' asked) || true
LOST=$(comm -23 <(sed -n 's/^503 //p' asked | sort -u) <(sed -n 's/^202 //p' asked | sort -u) | wc -l)
echo "10 messages: $REFUSED answers 503, $TAKEN answers 202; of those answered 503, never sent again: $LOST"
[ "$LOST" = 5 ] || { echo "changed: 503 is tried again"; tail -n 5 rsyslogd.log; exit 1; }
