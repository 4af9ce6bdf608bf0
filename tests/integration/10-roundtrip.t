#!/bin/sh
# What is posted stands in PostgreSQL, in every form in which it may be posted.
. "$(dirname "$0")/lib.sh"
world
database
collector
nginx
flusher

EVENTS=$top_srcdir/conf/examples/events.ndjson
N=$(grep -c . "$EVENTS")

rows() { sql "SELECT count(*) FROM forebay.event WHERE ${1:-true}"; }
rows_are() { [ "$(rows "$2")" = "$1" ]; }

wait_until 30 grep -q flush.connected "$W/log/flush.log"

# The sample events, as NDJSON.
post "@$EVENTS" -H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' \
	-A 'roundtrip/1.0 "x"' >/dev/null
is "$N events in one request" "$(status) $(json '$.accepted') $(json '$.rejected')" "202 $N 0"
receipt=$(json '$.receipt')
ok "stand in PostgreSQL" wait_until 30 rows_are "$N" true
cp "$EVENTS" "$W/lines"
chmod a+r "$W/lines"
is "each payload equals its line, in order" "$(sql_script <<END
CREATE TEMP TABLE line (number serial, line text);
\\copy line (line) FROM '$W/lines' WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
SELECT count(*) FROM line JOIN forebay.event e ON e.payload = line::jsonb AND e.seq = number;
END
)" "$N"
# by the quickstart's own look, whatever the versions of psql and of the server
as mkdir -p "$W/seen/src/conf/examples" && as cp "$W/lines" "$W/seen/src/conf/examples/events.ndjson"
ok "the quickstart finds each of them" env DATA="$W/seen" PSQL="$PG/psql" DSN="host=$W/run user=forebay dbname=forebay" \
	bash -c '. "$1/scripts/lib/show.sh"
		as() { "$@"; }
		daemon_said() { :; }
		db() { "$PSQL" -X -q -v ON_ERROR_STOP=1 -d "$DSN" "$@"; }
		samples_arrived' quickstart "$top_srcdir"
is "the receipt names their rows" "$(sql "SELECT segment || ':' || min(seq) || '-' || max(seq)
	FROM forebay.event GROUP BY segment")" "$receipt"
is "attributes have columns" "$(rows "id = payload->>'id' AND type = payload->>'type'
	AND source = payload->>'source' AND subject IS NOT DISTINCT FROM payload->>'subject'
	AND key = ''")" "$N"
is "so has the event's time" "$(rows "time = (payload->>'time')::timestamptz")" \
	"$(rows "payload ? 'time'")"
is "received now" "$(rows "received_at BETWEEN now() - interval '1 min' AND now() + interval '1 min'")" "$N"
is "the context says how" "$(sql "SELECT DISTINCT context - 'request_id' FROM forebay.event")" \
	'{"protocol": "native", "client_ip": "127.0.0.1", "user_agent": "roundtrip/1.0 \"x\"", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'
like "with nginx's request id" "$(sql "SELECT DISTINCT context->>'request_id' FROM forebay.event")" \
	'^[0-9a-f]{32}$'

# Other forms. Each carries its name, so that it can be found.
sent() { is "$1: accepted" "$(status) $(json '$.accepted')" "202 $2"; }
post '{"form":"object"}' >/dev/null
sent "an object" 1
printf '[{"form":"array"},{"form":"array"} , {"form":"array"}]' | post @- >/dev/null
sent "an array" 3
printf '\n{"form":"ndjson"}\r\n\n{"form":"ndjson"}' | post @- >/dev/null
sent "NDJSON with empty lines" 2
printf '{\n "form": "pretty",\n "a": [\n1\n]\n}\n' | post @- >/dev/null
sent "an object over several lines" 1
printf '\357\273\277{"form":"bom"}' | post @- >/dev/null
sent "behind a byte order mark" 1
printf '{"form":"gzip"}' | gzip | post @- -H 'Content-Encoding: gzip' >/dev/null
sent "gzip by header" 1
printf '{"form":"magic"}' | gzip | post @- -H 'Content-Type: text/plain' >/dev/null
sent "gzip by its first bytes" 1
printf '{"form":"magic"}\n{"form":"magic"}' | gzip | post @- -H 'Transfer-Encoding: chunked' >/dev/null
sent "gzip in chunks" 2
printf '{"form":"typeless"}' | post @- -H 'Content-Type:' -H 'Expect:' --http1.1 >/dev/null
sent "without a type" 1
printf '{"form":"h2"}' | post @- --http2 >/dev/null
sent "over HTTP/2" 1
awk 'BEGIN { for (i = 0; i < 3000; i++) { printf "{\"form\":\"large\",\"i\":%d,\"pad\":\"", i
	for (k = 0; k < 100; k++) printf "0123456789"; print "\"}" } }' | post @- >/dev/null
sent "3 MB" 3000
for form in object:1 array:3 ndjson:2 pretty:1 bom:1 gzip:1 magic:3 typeless:1 h2:1 large:3000; do
	ok "${form%:*} arrived" wait_until 30 rows_are "${form#*:}" "payload->>'form' = '${form%:*}'"
done
is "3,000 different ones" "$(sql "SELECT count(DISTINCT payload->>'i') FROM forebay.event
	WHERE payload->>'form' = 'large' AND length(payload->>'pad') = 1000")" 3000

# What JSON allows and few expect.
cat >"$W/odd" <<'END'
{"odd":1,"a":1,"a":2,"":"empty key","e":"😀 \ud83d\ude00 \u00e9 é \/ \t"}
{"odd":2,"n":[0,-0,1e-300,1.7976931348623157e308,1234567890123456789012345678901234567890]}
{"odd":3,"id":12345678901234567890,"type":7,"source":null,"time":"yesterday"}
{"odd":4,"id":"","deep":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}
END
post "@$W/odd" >/dev/null
sent "odd ones" 4
ok "arrived" wait_until 30 rows_are 4 "payload ? 'odd'"
is "jsonb keeps the last of two keys" "$(sql "SELECT payload->>'a' || (payload->>'') FROM forebay.event
	WHERE payload->>'odd' = '1'")" "2empty key"
is "escapes and characters are the same" "$(sql "SELECT payload->>'e' FROM forebay.event
	WHERE payload->>'odd' = '1'")" "😀 😀 é é / 	"
is "a number's digits are an id, another type is none" "$(sql "SELECT id || '|' || coalesce(type, '-')
	|| coalesce(source, '-') || coalesce(time::text, '-') FROM forebay.event WHERE payload->>'odd' = '3'")" \
	"12345678901234567890|---"
like "without an id there is a UUIDv7" "$(sql "SELECT id FROM forebay.event WHERE payload->>'form' = 'object'")" \
	'^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-'
if pg_clients_fit; then
	is "everything can be dumped again" "$(as "$PG/pg_dump" -h "$W/run" -U forebay forebay |
		grep -c '"form": "large"')" 3000
else
	skip "everything can be dumped again: this pg_dump is older than the server"
fi

ok "the flusher ends on SIGTERM" stop flush TERM 20
ok "with everything flushed" drained
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected OR duplicates + quarantined + rejected > 0")" 0
done_testing
