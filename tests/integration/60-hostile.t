#!/bin/sh
# Peers that break the protocol, on the socket and through nginx: nobody crashes,
# nobody else waits, and nothing but a whole request is ever taken for one.
. "$(dirname "$0")/lib.sh"
world
collector -o collect.read_timeout=1s
nginx
WORKERS=$(children "$(pid_of collect)")

stored() { journal_tool segments "$J" | awk '{ n += $3 } END { print n + 0 }'; }
head_params="begin param:REQUEST_METHOD=POST param:REQUEST_URI=/v1/events"
closes() { ok "$1: the connection is closed" fcgi $2 closed; }
code() { head -n 1 | cut -c 9-11; }

is "a whole request is served" "$(fcgi 'post:{"a":1}' answer | code)" 202
is "two on one connection" "$(fcgi 'post:{"a":2}' answer 'post:{"a":3}' answer | grep -c '^Status: 202')" 2
is "three are stored" "$(stored)" 3

# Bodies that are not what was announced.
is "longer" "$(fcgi $head_params param:CONTENT_LENGTH=3 params-end 'stdin:{"a":4}' stdin-end answer closed | code)" 400
is "shorter" "$(fcgi $head_params param:CONTENT_LENGTH=30 params-end 'stdin:{"a":4}' stdin-end answer closed | code)" 400
is "of no length" "$(fcgi $head_params param:CONTENT_LENGTH=x params-end 'stdin:{"a":4}' stdin-end answer closed | code)" 400
is "of a negative length" "$(fcgi $head_params param:CONTENT_LENGTH=-7 params-end 'stdin:{"a":4}' stdin-end answer closed | code)" 400
is "larger than the limit, read to its end" "$(head -c 6000000 /dev/zero | tr '\0' ' ' >"$W/big"; chmod a+r "$W/big"
	fcgi $head_params param:CONTENT_LENGTH=6000000 params-end "stdin-file:$W/big" stdin-end answer 'post:{"a":4}' answer |
	grep -o '^Status: [0-9]*' | tr '\n' ' ')" "Status: 413 Status: 202 "
is "none of the others is stored" "$(stored)" 4

# Requests that end before their end.
closes "given up in the body" "$head_params param:CONTENT_LENGTH=7 params-end stdin:{\"a abort"
closes "given up in the parameters" "$head_params abort"
fcgi $head_params param:CONTENT_LENGTH=7 params-end 'stdin:{"a"' sleep:50 hang-up 'post:{"a":5}' answer >"$W/out"
is "hung up in the body: the next one is served" "$(code <"$W/out")" 202
is "and nothing else is stored" "$(stored)" 5

# Bytes behind a request on a connection that is kept: never the next request.
ok "two requests in one piece: the connection is closed" fcgi 'post:{"a":6}' 'post:{"forged":1}' closed
is "and neither is stored" "$(stored)" 5

# No protocol at all.
closes "another version" raw:0901000100080000
closes "another role" raw:01010001000800000002010000000000
closes "text" raw:474554202f20485454502f312e310d0a0d0a
closes "parameters that overrun their record" "begin raw:0104000100040000ffffffff"
closes "a request without a beginning" params-end

# A peer that stalls holds up nobody, and not for ever.
for i in 1 2 3 4 5 6; do
	fcgi $head_params param:CONTENT_LENGTH=70000 params-end 'stdin:{"a' closed 2>"$W/log/stalled.$i" &
	stalled="${stalled:-} $!"
done
began=$(now_ms)
load --requests 2000 --oracle "$W/oracle"
is "six stalled peers: all others are served" "$?" 0
ok "without delay" test $(($(now_ms) - began)) -lt 5500
rc=0
for p in $stalled; do wait "$p" || rc=1; done
is "the stalled ones are closed after read_timeout" $rc 0

# Foreign users are not let in.
if [ -n "$AS" ]; then
	chmod 0777 "$W/run" "$W/run/forebay.sock"
	ok "another user is refused" setpriv --reuid=sync --regid=nogroup --clear-groups -- \
		"$TOOLS/fcgi_req" "$W/run/forebay.sock" 'post:{"foreign":1}' closed
	is "root is served" "$("$TOOLS/fcgi_req" "$W/run/forebay.sock" 'post:{"a":7}' answer | code)" 202
else
	skip "another user is refused: needs root"
fi

noise() { awk -v seed="$SEED$1" -v n="$2" 'BEGIN { srand(seed); while (n-- > 0) printf "%02x", int(rand() * 256) }'; }

# Noise: whatever comes, the workers stand.
i=0
before=$(stored)
while [ $i -lt 150 ]; do
	draw 200
	# half of it begins like a request
	[ $((i % 2)) = 0 ] && start=begin || start=sleep:0
	fcgi $start "raw:$(noise $i $((DRAWN + 1)))" sleep:1 2>/dev/null
	i=$((i + 1))
done
is "noise stores nothing" "$(stored)" "$before"

# Through nginx: a body that looks like FastCGI, to every kind of answer.
for i in 1 2 3 4 5 6 7 8 9; do "$TOOLS/fcgi_req" - 'post:{"smuggled":1}'; done >"$W/smuggled"
cat "$W/smuggled" "$W/big" >"$W/smuggled.big"
for path in /v1/events /v1/nothing /healthz /; do
	for file in smuggled smuggled.big; do
		http POST "$path" --data-binary "@$W/$file" -H 'Expect:' >/dev/null
		like "POST of other people's requests to $path ($file)" "$(status)" '^4'
	done
done
post '{"after":1}' >/dev/null
is "the next request is served as itself" "$(status) $(json '$.accepted')" "202 1"
is "the smuggled ones never were" "$(stored)" $((before + 1))

# Small bodies that grow: a turn is bounded by what they are, not by what they were.
for i in 1 2 3 4 5 6 7 8; do printf '{"id":"%d","pad":"%0900000d"}\n' $i 0; done | gzip -9 >"$W/gzip"
chmod a+r "$W/gzip"
commits() {
	fcgi begin param:REQUEST_METHOD=GET param:REQUEST_URI=/metrics param:FOREBAY_LISTENER=internal params-end stdin-end answer |
		awk '$1 == "forebay_commit_duration_seconds_count" { print $2 }'
}
before=$(commits)
# shellcheck disable=SC2086	# pids, word by word
kill -STOP $WORKERS
senders='' i=0
while [ $i -lt 16 ]; do
	fcgi $head_params "param:CONTENT_LENGTH=$(wc -c <"$W/gzip")" param:HTTP_CONTENT_ENCODING=gzip params-end \
		"stdin-file:$W/gzip" stdin-end answer >"$W/grown.$i" &
	senders="$senders $!" i=$((i + 1))
done
sleep 0.5
# shellcheck disable=SC2086
kill -CONT $WORKERS
for p in $senders; do wait "$p"; done
is "16 small bodies of 7 MB each are accepted" "$(cat "$W"/grown.* | grep -c '^Status: 202')" 16
commits=$(($(commits) - before))
ok "in eight turns at least, it took $commits" test $commits -ge 8

is "no worker died" "$(children "$(pid_of collect)")" "$WORKERS"
is "none was reported dead" "$(grep -c worker.died "$W/log/collect.log")" 0
done_testing
