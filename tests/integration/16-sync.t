#!/bin/sh
# ?mode=sync: all of a request is stored and its ids come back, or none of it is and
# every error is named.
. "$(dirname "$0")/lib.sh"
world
database
collector
nginx
flusher

sync() {	# sync BODY-FILE-OR-TEXT [curl options]
	local body=$1
	shift
	http POST '/v1/events?mode=sync' --data-binary "$body" "$@" >/dev/null
}
rows() { sql "SELECT count(*) FROM forebay.event WHERE $1"; }
events() { journal_tool segments "$J" | awk '{ n += $3 } END { print n + 0 }'; }
rejections() { journal_tool segments "$J" | awk '{ n += $4 } END { print n + 0 }'; }

sync '[{"id":"a-1","n":1},{"id":"a-2","n":2},{"n":3}]'
is "three good events" "$(status) $(json '$.accepted') $(json '$.rejected')" "201 3 0"
is "their own ids come back" "$(json '$.ids[0]') $(json '$.ids[1]') $(json '$.ids.size()')" "a-1 a-2 3"
made=$(json '$.ids[2]')
like "and one was made" "$made" '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-'
like "with a receipt" "$(json '$.receipt')" '^[0-9a-f-]{36}:1-3$'
is "type" "$(head_of Content-Type)" application/json
ok "they stand in PostgreSQL" wait_until 30 sql_is "SELECT count(*) FROM forebay.event" 3
is "under those ids" "$(sql "SELECT string_agg(id, ' ' ORDER BY seq) FROM forebay.event")" "a-1 a-2 $made"
sync '{"id":"x","mode":"async"}'
is "one object" "$(status) $(json '$.ids.size()') $(json '$.ids[0]')" "201 1 x"
http POST '/v1/events?mode=async' --data-binary '{"n":1}' >/dev/null
is "there is no other mode" "$(status) $(json '$.code')" "400 bad_parameter"

before=$(events)
cat >"$W/mixed" <<'JSON'
{"good":1}
{"a":{"b/c~d":[0,{"deep":"\ud800"}]}}
{"n":[1,2,1e999]}
[1]
{"good":2}
{"half":
{"id":"GGGG"}
JSON
sed -i "s/GGGG/$(printf '%0300d' 0)/" "$W/mixed"
sync "@$W/mixed"
is "five of seven are bad" "$(status) $(json '$.code') $(json '$.accepted') $(json '$.rejected')" "422 events_refused 0 5"
is "a problem" "$(head_of Content-Type) $(json '$.status') $(json '$.title')" "application/problem+json 422 Unprocessable Content"
is "every one is named" "$(json '$.errors.size()')" 5
error() { is "$1" "$(json "\$.errors[$2].index") $(json "\$.errors[$2].code") $(json "\$.errors[$2].pointer")" "$3"; }
error "where a string is bad, with escapes in the pointer" 0 "1 lone_surrogate /a/b~1c~0d/1/deep"
error "where a number is" 1 "2 number_out_of_range /n/2"
is "where no object is" "$(json '$.errors[2].index') $(json '$.errors[2].code')" "3 not_an_object"
is "where the JSON breaks off" "$(json '$.errors[3].index') $(json '$.errors[3].code')" "5 invalid_json"
error "where an attribute is" 4 "6 attribute_too_long /id"
is "each has a message" "$(json '$.errors[0].message') $(json '$.errors.message ? (@ == "").size()')" \
	"The event holds half of a surrogate pair. "
is "nothing is stored" "$(events)" "$before"
sync '[{"good":3},{"bad":"\u0000"}]'
is "in an array too" "$(status) $(json '$.errors[0].index') $(json '$.errors[0].pointer')" "422 1 /bad"
sync '{"bad":"\u0000"}'
is "a single one" "$(status) $(json '$.errors[0].code')" "422 nul_character"
is "nothing is stored" "$(events)" "$before"
sync '[{"good":4},'
is "no JSON at all is 400, as ever" "$(status) $(json '$.code') $(json '$.offset')" "400 invalid_json 12"
sync ''
is "an empty body too" "$(status) $(json '$.code')" "400 empty_body"

# Bounds: 1,000 events, 64 KiB of answer.
many() { awk -v n="$1" -v e="$2" 'BEGIN { while (n-- > 0) print e }' >"$W/many"; }
many 1000 '{"many":1}'
sync "@$W/many"
is "1,000 at once" "$(status) $(json '$.accepted') $(json '$.ids.size()')" "201 1000 1000"
is "with 1,000 different ids" "$(grep -o '"[0-9a-f-]\{36\}"' "$W/body" | sort -u | wc -l)" 1000
many 1001 '{"many":2}'
before=$(events)
sync "@$W/many"
is "1,001 are too many" "$(status) $(json '$.code')" "413 too_many_events"
is "and none is stored" "$(events)" "$before"
post "@$W/many" >/dev/null
is "without sync they are not" "$(status) $(json '$.accepted')" "202 1001"
awk 'BEGIN { for (i = 0; i < 1000; i++) printf "{\"id\":\"%s%04d\"}\n", "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789", i }' >"$W/many"
sync "@$W/many"
is "long ids: stored all the same" "$(status) $(json '$.accepted')" "201 1000"
ok "the answer is cut at 64 KiB" test "$(wc -c <"$W/body")" -le 65536
is "and says what it left out" $(($(json '$.ids.size()') + $(json '$.ids_left_out'))) 1000
many 1000 '{"bad":"\ud800"}'
before=$(events)
sync "@$W/many"
is "1,000 errors" "$(status) $(json '$.rejected')" "422 1000"
ok "are cut at 64 KiB" test "$(wc -c <"$W/body")" -le 65536
ok "but not before 48" test "$(wc -c <"$W/body")" -gt 49152
is "with a count of the others" $(($(json '$.errors.size()') + $(json '$.errors_left_out'))) 1000
long=$(awk 'BEGIN { for (i = 0; i < 3000; i++) printf "\001"; }' | sed 's/./\\u0001/g')
printf '{"%s":{"%s":"\\ud800"}}\n' "$long" "$long" >"$W/one"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do cat "$W/one"; done >"$W/many"
sync "@$W/many"
is "names of thousands of control characters" "$(status) $(json '$.rejected')" "422 30"
ok "do not burst it" test "$(wc -c <"$W/body")" -le 65536
is "nothing is stored" "$(events)" "$before"

# The same in every other form.
printf '{"gz":1}' | gzip | http POST '/v1/events?mode=sync' --data-binary @- >/dev/null
is "gzip" "$(status) $(json '$.accepted')" "201 1"
printf '{"gz":"\\ud800"}' | gzip | http POST '/v1/events?mode=sync' --data-binary @- >/dev/null
is "gzip with an error" "$(status) $(json '$.errors[0].pointer')" "422 /gz"

ok "all is flushed" wait_until 60 drained
is "what was refused is kept, 20 of a request" "$(sql "SELECT count(*) FROM forebay.rejection
	WHERE reason = 'lone_surrogate' AND convert_from(payload, 'UTF8') = '{\"bad\":\"\\ud800\"}'")" 20
is "and stands for no event" "$(rows "payload ? 'bad' OR payload ? 'good'")" 0
is "the books balance" "$(sql "SELECT count(*) FILTER (WHERE last_seq <> loaded + duplicates + quarantined + rejected),
	sum(rejected) FROM forebay.progress")" "0|$(rejections)"
done_testing
