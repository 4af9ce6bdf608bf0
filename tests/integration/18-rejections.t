#!/bin/sh
# What is refused is kept: as it came, with the reason and the place, the first
# 16 KiB of it, and no more in a minute than was set; and the books go on balancing.
. "$(dirname "$0")/lib.sh"
world
database
collector -o collect.workers=1 -o collect.rejections_per_min=100 -o collect.body_bytes=256K
nginx
flusher

rejections() { journal_tool segments "$J" | awk '{ n += $4 } END { print n + 0 }'; }
kept() { sql "SELECT count(*) FROM forebay.rejection WHERE ${1:-true}"; }
kept_is() { [ "$(kept "$2")" = "$1" ]; }
column() { sql "SELECT $1 FROM forebay.rejection WHERE reason = '$2' ORDER BY segment, seq LIMIT 1"; }
scrape() { curl -sS --max-time 20 --unix-socket "$W/run/metrics.sock" http://localhost/metrics; }
value() { scrape | awk -v m="$1" '$1 == m { print $2 }'; }

# A syntax error refuses the request: its body is kept.
printf '[{"a":1},{"a":x},{"a":3}]' | post @- -A 'broken/1.0' \
	-H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' >/dev/null
is "bad JSON" "$(status) $(json '$.code')" "400 invalid_json"
ok "is in PostgreSQL" wait_until 30 kept_is 1 "reason = 'invalid_json'"
is "as it came" "$(column "convert_from(payload, 'UTF8')" invalid_json)" '[{"a":1},{"a":x},{"a":3}]'
is "with its place and what is known of the request" "$(column "context - 'request_id'" invalid_json)" \
	'{"index": 0, "offset": 14, "protocol": "native", "client_ip": "127.0.0.1", "user_agent": "broken/1.0", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'
is "received now" "$(kept "received_at BETWEEN now() - interval '1 min' AND now() + interval '1 min'")" 1
is "and with its row in the journal" "$(rejections)" 1

# Events that are refused alone, between good ones.
printf '{"n":1}\n{"n":"\\ud800"}\n{"n":3}\n{"n":"\\u0000"}\n' | post @- >/dev/null
is "two of four" "$(status) $(json '$.accepted') $(json '$.rejected')" "202 2 2"
receipt=$(json '$.receipt')
ok "both kept" wait_until 30 kept_is 2 "reason IN ('lone_surrogate', 'nul_character')"
is "each as it came, with index and offset" "$(sql "SELECT string_agg(convert_from(payload, 'UTF8') || ' ' || (context->>'index')
	|| ' ' || (context->>'offset'), ', ' ORDER BY seq) FROM forebay.rejection WHERE reason IN ('lone_surrogate', 'nul_character')")" \
	'{"n":"\ud800"} 1 14, {"n":"\u0000"} 3 37'
is "behind the request's events, so that a receipt is a range" "$(sql "SELECT bool_and(r.seq > e.last AND r.segment = e.segment)
	FROM forebay.rejection r, (SELECT segment, max(seq) AS last FROM forebay.event GROUP BY segment) e
	WHERE r.reason IN ('lone_surrogate', 'nul_character')") ${receipt#*:}" "t 2-3"

# Bytes that are no text, and more of them than are kept.
printf '{"a":"\303("}' | post @- >/dev/null
ok "bytes that are not UTF-8" wait_until 30 kept_is 1 "reason = 'invalid_utf8'"
is "byte for byte" "$(column "encode(payload, 'hex')" invalid_utf8)" "$(printf '{"a":"\303("}' | od -An -tx1 | tr -d ' \n')"
{ printf '{"a":"'; head -c 100000 /dev/zero | tr '\0' z; printf '",}'; } >"$W/long"
n=$(kept "reason = 'invalid_json'")
post "@$W/long" >/dev/null
is "100 KB of bad JSON" "$(status)" 400
ok "are kept" wait_until 30 kept_is $((n + 1)) "reason = 'invalid_json'"
is "the first 16 KiB" "$(sql "SELECT length(payload), md5(payload) FROM forebay.rejection ORDER BY length(payload) DESC LIMIT 1")" \
	"16384|$(head -c 16384 "$W/long" | md5sum | cut -d ' ' -f 1)"
is "with the place beyond them" "$(sql "SELECT context->>'offset' FROM forebay.rejection ORDER BY length(payload) DESC LIMIT 1")" 100008
printf 'not gzip' | post @- -H 'Content-Encoding: gzip' >/dev/null
ok "what is no gzip" wait_until 30 kept_is 1 "reason = 'invalid_gzip'"
is "as it came" "$(column "convert_from(payload, 'UTF8')" invalid_gzip)" 'not gzip'
printf '{"gz":' | gzip | post @- >/dev/null
ok "bad JSON in gzip: what was in it" wait_until 30 kept_is 1 "payload = '{\"gz\":'"
head -c 300000 /dev/zero | post @- >/dev/null
ok "more than the limit: the fact alone" wait_until 30 kept_is 1 "reason = 'body_too_large' AND length(payload) = 0"
n=$(rejections)
http POST /v1/other --data-binary '{"x":' >/dev/null
http PUT /v1/events --data-binary '{"x":' >/dev/null
is "what is no event is not kept" "$(rejections)" "$n"

# Of one request at most 20, in a minute at most what was set; all are counted.
before=$(value forebay_events_rejected_total)
n=$(rejections)
yes '{"many":"\ud800"}' | head -n 500 | post @- >/dev/null
is "500 in one request" "$(status) $(json '$.rejected')" "400 500"
is "20 are kept" "$(rejections)" $((n + 20))
for _ in 1 2 3 4 5 6 7 8 9 10; do yes '{"many":"\ud800"}' | head -n 500 | post @- >/dev/null; done
is "never more than 100 in a minute" "$(rejections)" 100
printf '{"good":1}\n{"bad":"\\ud800"}\n' | post @- >/dev/null
is "who comes then is answered as ever" "$(status) $(json '$.accepted') $(json '$.errors[0].code')" "202 1 lone_surrogate"
is "all are counted" "$(value forebay_events_rejected_total)" $((before + 5501))
is "kept ones too" "$(value forebay_rejections_kept_total)" 100

# The journal knows them by SQL as well.
stop flush
is "the same in the journal" "$(forebay query "select count(*) from rejection where reason = 'lone_surrogate'" 2>&1)" \
	"$(kept "reason = 'lone_surrogate'")"
flusher
ok "all is flushed" wait_until 60 drained
is "100 in PostgreSQL" "$(kept)" 100
is "the books balance, segment by segment" "$(sql "SELECT count(*) FROM forebay.progress p
	LEFT JOIN (SELECT segment, count(*) AS n FROM forebay.event GROUP BY 1) e USING (segment)
	LEFT JOIN (SELECT segment, count(*) AS n FROM forebay.rejection GROUP BY 1) r USING (segment)
	WHERE last_seq <> loaded + duplicates + quarantined + rejected
	OR loaded <> coalesce(e.n, 0) OR rejected <> coalesce(r.n, 0)")" 0
is "and the journal agrees" "$(journal_tool segments "$J" | awk '$2 != $3 + $4')" ""

# 0 keeps none.
stop collect
collector -o collect.rejections_per_min=0
printf '{"a":' | post @- >/dev/null
is "none wished: answered" "$(status)" 400
is "none kept" "$(kept)" 100
done_testing
