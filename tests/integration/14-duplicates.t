#!/bin/sh
# Two deliveries of one event are one row, however they come; two events that share
# an id are two.
. "$(dirname "$0")/lib.sh"
world
database
collector
nginx 'keepalive_timeout 500ms;'
flusher
not_at_midnight 60

EVENTS=$top_srcdir/conf/examples/events.ndjson
N=$(grep -c . "$EVENTS")
duplicates() { sql "SELECT coalesce(sum(duplicates), 0) FROM forebay.progress"; }
duplicates_are() { [ "$(duplicates)" = "$1" ]; }
rows() { sql "SELECT count(*) FROM forebay.event WHERE ${1:-true}"; }

post "@$EVENTS" >/dev/null
is "$N events as NDJSON" "$(json '$.accepted')" "$N"
sed 's/$/,/' "$EVENTS" | tr -d '\n' | sed 's/^/[/; s/,$/]/' | post @- >/dev/null
is "the same as one array" "$(json '$.accepted')" "$N"
while read -r line; do
	printf '%s' "$line" | gzip | post @- >/dev/null
	[ "$(status)" = 202 ] || note "$(cat "$W/body")"
done <"$EVENTS"
ok "and gzipped one by one: $((2 * N)) duplicates" wait_until 30 duplicates_are $((2 * N))
is "still $N rows" "$(rows)" "$N"

post '{"id":"order-42","v":1}' >/dev/null
post '{"id":"order-42","v":2}' >/dev/null
ok "one id, two contents: two rows" wait_until 30 sql_is \
	"SELECT string_agg(payload->>'v', ',' ORDER BY received_at) FROM forebay.event WHERE id = 'order-42'" 1,2
post '{"id":"order-43","source":"a","v":1}' >/dev/null
post '{"id":"order-43","source":"b","v":1}' >/dev/null
post '{"v":1}' >/dev/null
post '{"v":1}' >/dev/null
ok "two sources, or no id: two rows each" wait_until 30 sql_is \
	"SELECT count(*) FROM forebay.event WHERE id = 'order-43' OR payload = '{\"v\":1}'" 4
is "none of these is a duplicate" "$(duplicates)" $((2 * N))

# A client that does not know what became of its request sends it again, across
# segments, batches and restarts of the flusher.
yes '{"id":"again","n":7}' | head -n 1000 | post @- >/dev/null
ok "1,000 times in one request" wait_until 30 duplicates_are $((2 * N + 999))
is "one row" "$(rows "id = 'again'")" 1
stop flush
post '{"id":"again","n":7}' >/dev/null
post '{"id":"apart","n":8}' >/dev/null
stop collect
collector
post '{"id":"again","n":7}' >/dev/null
post '{"id":"apart","n":8}' >/dev/null
flusher
ok "from two segments in one batch" wait_until 30 duplicates_are $((2 * N + 999 + 3))
is "still one row" "$(rows "id = 'again'")" 1
is "and one of the other" "$(rows "id = 'apart'")" 1
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0
done_testing
