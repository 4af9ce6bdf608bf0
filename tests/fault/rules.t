#!/bin/sh
# The door's rules that a fault elsewhere would need luck to find: no answer before the
# sync, none after one that failed (INV-1); a worker's start is a new segment (INV-8); a body
# counts when it is whole, and what is left of one is never a request (INV-2). Without PostgreSQL.
. "$(dirname "$0")/../integration/lib.sh"
world_dir
cp "$top_builddir/tests/fault/slow_disk.so" "$W/slow_disk.so" || bail "tests/fault/slow_disk.so is not built"
chmod 0755 "$W/slow_disk.so"
# a sanitizer wants to be first; then the shim comes second
spawn collect env LD_PRELOAD="$W/slow_disk.so" ASAN_OPTIONS=verify_asan_link_order=0 SLOW_SYNC_HANG="$W/hang" SLOW_SYNC_FAIL="$W/broken" \
	"$BIN/forebayd" -c "$W/forebay.conf" -o collect.workers=1
collector_ready || bail "forebayd does not get ready"

receipt() { sed -n 's/.*"receipt":"\([^"]*\)".*/\1/p' "$1"; }
code() { sed -n '1s/^Status: \([0-9]*\).*/\1/p'; }
stored() { journal_tool segments "$J" | awk '{ n += $3 } END { print n + 0 }'; }

fcgi 'post:{"a":1}' answer >"$W/first"
is "an event is accepted" "$(code <"$W/first")" 202
as touch "$W/hang"
ok "while the disk hangs, no answer" fcgi 'post:{"a":2}' quiet:1500
as rm "$W/hang"
is "then it goes on" "$(fcgi 'post:{"a":3}' answer | code)" 202
as touch "$W/broken"
is "a sync that failed is no 2xx" "$(fcgi 'post:{"a":4}' answer | code)" 503
as rm "$W/broken"
accepted() { fcgi 'post:{"a":5}' answer | grep -q 'Status: 202'; }
ok "it recovers by itself" wait_until 30 accepted

# the worker dies: its successor writes a file of its own
fcgi 'post:{"a":6}' answer >"$W/before"
# shellcheck disable=SC2046	# pids, word by word
kill -9 $(children "$(pid_of collect)")
wait_until 30 ready
fcgi 'post:{"a":7}' answer >"$W/after"
is "after a death it accepts" "$(code <"$W/after")" 202
ok "in a new segment, from 1 on" sh -c "[ '$(receipt "$W/before" | cut -d : -f 1)' != '$(receipt "$W/after" | cut -d : -f 1)' ] &&
	[ '$(receipt "$W/after" | cut -d : -f 2)' = 1-1 ]"

# whole bodies only
n=$(stored)
post_params="begin param:REQUEST_METHOD=POST param:REQUEST_URI=/v1/events"
is "a body shorter than announced is refused" \
	"$(fcgi $post_params param:CONTENT_LENGTH=30 params-end 'stdin:{"a":8}' stdin-end answer | code)" 400
is "and not stored" "$(stored)" "$n"
# a body that is too large, and in it requests where a careless reader would go on
{
	head -c 262144 /dev/zero | tr '\0' ' '
	i=0
	while [ $i -lt 200 ]; do
		"$TOOLS/fcgi_req" - 'post:{"smuggled":1}'
		i=$((i + 1))
	done
	head -c 6000000 /dev/zero | tr '\0' ' '
} >"$W/large"
chmod a+r "$W/large"
# a reader that stops would leave the sender waiting for ever
is "what is left of a body is never a request" "$(as timeout 20 "$TOOLS/fcgi_req" "$W/run/forebay.sock" $post_params "param:CONTENT_LENGTH=$(wc -c <"$W/large")" params-end \
	"stdin-file:$W/large" stdin-end answer 'post:{"a":9}' answer | grep -o '^Status: [0-9]*' | tr '\n' ' ')" \
	"Status: 413 Status: 202 "
is "one more is stored, and nothing else" "$(journal_tool segments "$J" | awk '{ n += $3 } END { print n + 0 }')" $((n + 1))

# A segment that is full is exchanged for another one after the answer: a client waits
# for the syncs that its event needs.
stop collect
spawn collect env LD_PRELOAD="$W/slow_disk.so" ASAN_OPTIONS=verify_asan_link_order=0 SLOW_SYNC_US=300000 \
	"$BIN/forebayd" -c "$W/forebay.conf" -o collect.workers=1 -o journal.segment_bytes=64K
collector_ready || bail "forebayd does not get ready"
printf '{"a":"%070000d"}' 0 >"$W/full"
chmod a+r "$W/full"
# A busy machine may add to it, but not five times out of five.
fill() {
	local start
	wait_until 30 ready		# the segment before was full too
	start=$(now_ms)
	fcgi $post_params "param:CONTENT_LENGTH=$(wc -c <"$W/full")" params-end \
		"stdin-file:$W/full" stdin-end answer >"$W/filled"
	took=$(($(now_ms) - start))
	note "$(code <"$W/filled") after $took ms"
	[ "$(code <"$W/filled")" = 202 ]
}
n=0
while n=$((n + 1)) && fill && [ $took -ge 1800 ] && [ $n -lt 5 ]; do :; done
is "an event that fills a segment is accepted" "$(code <"$W/filled")" 202
ok "with syncs of 300 ms before 1.8 s are over" test "$took" -lt 1800
fcgi 'post:{"a":10}' answer >"$W/after"
ok "the next one has a new segment" grep -q ':1-1"' "$W/after"
done_testing
