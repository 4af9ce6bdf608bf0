#!/bin/sh
# What one write key takes does not come off the others': events a second, and the
# rejections that are kept; and what is counted by key.
. "$(dirname "$0")/lib.sh"
world
database
sed -i "s|^keys =.*|keys = $W/keys|" "$W/forebay.conf"
A=$(forebay key new --name loud shop 2>/dev/null)
B=$(forebay key new --name quiet web 2>/dev/null)
collector -o collect.key_events_per_s=100 -o collect.rejections_per_min=100
nginx
flusher

send() { post "$2" -H "Authorization: Bearer $1" >/dev/null; }
lines() { awk -v n="$1" -v e="$2" 'BEGIN { while (n-- > 0) print e }' >"$W/lines"; }
rejections() { journal_tool segments "$J" | awk '{ n += $4 } END { print n + 0 }'; }
scrape() { curl -sS --max-time 20 --unix-socket "$W/run/metrics.sock" http://localhost/metrics; }

# A request is taken whole; what it is over is made good by those behind it.
lines 500 '{"n":1}'
send "$A" "@$W/lines"
is "500 events where 100 a second are allowed" "$(status) $(json '$.accepted')" "202 500"
other() {
	local i=0
	while [ $i -lt 10 ]; do
		send "$A" '{"n":2}'
		[ "$(status) $(json '$.code')" = "429 rate_limited" ] || return 1
		i=$((i + 1))
	done
}
ok "then none, by either worker" other
like "and when to come again" "$(head_of Retry-After)" '^[1-5]$'
send "$B" '{"n":3}'
is "another key is not held up" "$(status)" 202
again() { send "$A" '{"n":4}'; [ "$(status)" = 202 ]; }
ok "after some seconds the first may send again" wait_until 30 again
is "what was turned away for now is not kept as refused" "$(rejections)" 0

# 100 rejections a minute are kept by each worker, at most half of them of one key.
lines 40 '{"bad":}'
for _ in 1 2 3 4 5 6 7 8 9 10; do send "$A" "@$W/lines"; done
is "400 bad lines" "$(status)" 400
n=$(rejections)
ok "of which 50 are kept" test "$n" -ge 50 -a "$n" -le 55
note "$n"
send "$B" '{"bad":'
is "one of another key" "$(status)" 400
is "is kept" "$(rejections)" $((n + 1))

# A few bytes of gzip do not become ten thousand rows; honest repetition passes.
stop collect TERM
collector
gz() { gzip | post @- -H "Authorization: Bearer $B" -H 'Content-Encoding: gzip' >/dev/null; }
before=$(journal_tool segments "$J" | awk '{ n += $3 } END { print n + 0 }')
lines 10000 '{}'
gz <"$W/lines"
is "68 bytes that are 10,000 events" "$(gzip <"$W/lines" | wc -c) $(status) $(json '$.code')" "68 413 too_many_events"
is "of which none is stored" "$(journal_tool segments "$J" | awk '{ n += $3 } END { print n + 0 }')" "$before"
lines 10000 '{"type":"heartbeat","source":"sensor-17"}'
gz <"$W/lines"
is "10,000 times the same heartbeat" "$(status) $(json '$.accepted')" "202 10000"
lines 600 '{}'
gz <"$W/lines"
is "what is small whatever it becomes" "$(status) $(json '$.accepted')" "202 600"

# Times that cannot be read.
send "$B" '[{"time":"yesterday"},{"time":"2026-11-20T23:45:27"},{"time":1},{"time":1795218327},{"time":null},{}]'
is "three of six times cannot be read, and nothing is refused for it" "$(status) $(json '$.accepted') $(json '$.rejected')" "202 6 0"
is "they are counted" "$(scrape | sed -n 's/^forebay_times_unread_total //p')" 3
like "and stats says by which key" "$(forebay stats | grep '^times_unread by')" '^times_unread by "quiet" +3  '
like "in JSON too" "$(forebay stats --json)" '"times_unread_by_key":\[\{"key":"quiet","events":3\}\]'
ok "all is flushed" wait_until 60 drained
is "one stands as it was meant, the others stand empty" "$(sql "SELECT count(time), count(*), max(extract(epoch FROM time))::bigint
	FROM forebay.event WHERE key = 'quiet' AND (payload = '{}' OR payload ? 'time')")" "1|606|1795218327"
done_testing
