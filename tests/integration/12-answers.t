#!/bin/sh
# Limits and errors: every code the door can give, in the form that is promised.
. "$(dirname "$0")/lib.sh"
world
collector -o collect.body_bytes=64K -o collect.inflated_bytes=128K -o collect.event_bytes=4K \
	-o collect.events=100 -o collect.depth=8
nginx 'keepalive_timeout 500ms;'
SEEN=

# a problem as the last answer: problem WHAT STATUS CODE
problem() {
	is "$1" "$(status) $(json '$.code')" "$2 $3"
	is "$1: type" "$(head_of Content-Type)" application/problem+json
	is "$1: members" "$(json '$.type') $(json '$.status') $([ "$(json '$.title')" ] && echo title) $(
		[ "$(json '$.message')" ] && echo message)" "about:blank $2 title message"
	SEEN="$SEEN $3"
}

# refuse WHAT STATUS CODE BODY [curl options]: nothing of it is stored
refuse() {
	local what=$1 st=$2 code=$3 body=$4
	shift 4
	printf '%b' "$body" | post @- "$@" >/dev/null
	problem "$what" "$st" "$code"
}

refuse "an empty body" 400 empty_body ''
refuse "white space" 400 empty_body ' \n\n'
refuse "an empty array" 400 no_events ' [ ]'
refuse "half an object" 400 invalid_json '{"a":1'
refuse "half an array" 400 invalid_json '[{"a":1},{"a":2}'
refuse "an object with a tail" 400 invalid_json '{"a":1} x'
refuse "text" 400 invalid_json 'hello'
refuse "a number" 400 not_an_object '42'
refuse "an array of numbers" 400 not_an_object '[1,2]'
refuse "bytes that are not UTF-8" 400 invalid_utf8 '{"a":"\0303("}'
refuse "an overlong form" 400 invalid_utf8 '{"a":"\0340\0200\0200"}'
refuse "\\u0000" 400 nul_character '{"a":"\\u0000"}'
refuse "a lone surrogate" 400 lone_surrogate '{"a":"\\ud83d"}'
refuse "a number beyond double" 400 number_out_of_range '{"a":1e400}'
refuse "a number of 41 digits" 400 number_out_of_range '{"a":11111111112222222222333333333344444444441}'
refuse "nine levels" 400 too_deep '{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}'
refuse "an event of 5 KB" 400 event_too_large "{\"a\":\"$(printf '%05000d' 0)\"}"
refuse "an id of 257 bytes" 400 attribute_too_long "{\"id\":\"$(printf '%0257d' 0)\"}"
refuse "no gzip" 400 invalid_gzip '{"a":1}' -H 'Content-Encoding: gzip'
refuse "another encoding" 415 unsupported_encoding '{"a":1}' -H 'Content-Encoding: br'
is "says which it takes" "$(head_of Accept-Encoding)" gzip
# zstd and zlib without a word of it, made by zstd(1) and Python's zlib
refuse "zstd, unannounced" 415 unsupported_encoding '\0050\0265\0057\0375\0004\0130\0071\0000\0000\0173\0042\0141\0042\0072\0061\0175\0110\0213\0374\0062'
refuse "zlib, unannounced" 415 unsupported_encoding '\0170\0234\0253\0126\0112\0124\0262\0062\0254\0005\0000\0010\0052\0002\0011'
refuse "a br that is none, in capitals" 415 unsupported_encoding '{"a":1}' -H 'Content-Encoding: BR'
for coding in GZIP X-Gzip; do
	printf '{"a":1}' | gzip | post @- -H "Content-Encoding: $coding" >/dev/null
	is "Content-Encoding: $coding" "$(status)" 202
done
post '{"a":1}' -H 'Content-Encoding: Identity' >/dev/null
is "Content-Encoding: Identity" "$(status)" 202
# CloudEvents: in binary mode the attributes are headers, which nothing reads.
refuse "CloudEvents, binary mode" 415 cloudevents_binary '{"a":1}' -H 'ce-specversion: 1.0' -H 'ce-id: 1' \
	-H 'ce-source: s' -H 'ce-type: t' -H 'Content-Type: application/json'
refuse "the same without a version" 415 cloudevents_binary '{"a":1}' -H 'Ce-Id: 1'
for type in application/cloudevents+json Application/CloudEvents+JSON 'application/cloudevents-batch+json; charset=UTF-8'; do
	post '[{"specversion":"1.0","id":"1","source":"s","type":"t","data":{}}]' -H "Content-Type: $type" -H 'ce-id: 1' >/dev/null
	is "CloudEvents as $type" "$(status) $(json '$.accepted')" "202 1"
done

# A parameter that is read has a value that is known.
for query in mode=SYNC 'mode=sync;x' mode=async mode= mode 'x=1&mode=sync+' 'mode=s%79nc'; do
	http POST "/v1/events?$query" --data-binary '{"a":1}' >/dev/null
	problem "?$query" 400 bad_parameter
done
http POST '/v1/events?moder=x&x&mode=sync&y=' --data-binary '{"a":1}' >/dev/null
is "others are left alone" "$(status)" 201

# Base URLs that end with a slash, and clients that add one.
for path in //v1/events /v1/events/ /v1//events '///v1///events///?mode=sync' '//v1/events/?x=//'; do
	http POST "$path" --data-binary '{"a":1}' --path-as-is >/dev/null
	like "POST $path" "$(status)" '^20[12]$'
done
for path in //readyz /readyz/ //v1/time/ // ///; do
	http GET "$path" --path-as-is >/dev/null
	is "GET $path" "$(status)" 200
done
for path in /v1/events/x /v1/events/. /v1eventsv1events /V1/events "/v1/events$(printf '/x%.0s' $(seq 1 60))" //metrics /metrics/; do
	http GET "$path" --path-as-is >/dev/null
	problem "GET $(echo "$path" | cut -c 1-20): nothing there" 404 not_found
done

http POST /v1/other --data-binary '{}' >/dev/null
problem "another path" 404 not_found
http PUT /v1/events --data-binary '{}' >/dev/null
problem "another method" 405 method_not_allowed

printf '{"a":1}' | gzip | head -c 20 | post @- -H 'Content-Encoding: gzip' >/dev/null
problem "half a gzip file" 400 invalid_gzip
head -c 70000 /dev/zero | tr '\0' ' ' | post @- >/dev/null
problem "a body beyond the collector's limit" 413 body_too_large
head -c 5000000 /dev/zero | tr '\0' ' ' | post @- >/dev/null
problem "a body beyond nginx's limit" 413 body_too_large
head -c 1000000000 /dev/zero | gzip -1 | head -c 60000 | post @- >/dev/null
problem "a gzip bomb" 413 inflated_too_large
yes '{"a":1}' | head -n 101 | post @- >/dev/null
problem "101 events" 413 too_many_events
yes '{"a":1}' | head -n 101 | tr '\n' ',' | sed 's/^/[/; s/,$/]/' | post @- >/dev/null
problem "101 events in an array" 413 too_many_events
yes '{"a":1}' | head -n 100 | post @- >/dev/null
is "100 are taken" "$(status) $(json '$.accepted')" "202 100"

# What a web server would never send: a length that is not the body's.
out=$(fcgi begin param:REQUEST_METHOD=POST param:REQUEST_URI=/v1/events \
	param:CONTENT_LENGTH=9 params-end 'stdin:{"a":1}' stdin-end answer)
printf '%s' "$out" | sed '1,/^\r*$/d' >"$W/body"
is "a body that is too short" "$(printf '%s' "$out" | head -n 1 | cut -c 9-11) $(json '$.code')" "400 bad_request"
SEEN="$SEEN bad_request"

# Good neighbours are stored, and the answer says which were not.
{
	for _ in $(seq 1 40); do echo '{"bad":"\ud800"}'; done
	echo '{"good":1}'
	echo '{"bad":'
} | post @- >/dev/null
is "good neighbours are stored" "$(status) $(json '$.accepted') $(json '$.rejected')" "202 1 41"
like "they have a receipt" "$(json '$.receipt')" '^[0-9a-f-]{36}:[0-9]+-[0-9]+$'
is "at most 20 errors are listed" "$(json '$.errors.size()')" 20
is "by index" "$(json '$.errors[3].index')" 3
is "code" "$(json '$.errors[3].code')" lone_surrogate
is "offset" "$(json '$.errors[3].offset')" $((3 * 17 + 8))
like "and message" "$(json '$.errors[3].message')" surrogate
post '[{"good":2},{"bad":1e999},{"good":3}]' >/dev/null
is "so are those in an array" "$(status) $(json '$.accepted') $(json '$.rejected') $(json '$.errors[0].index')" \
	"202 2 1 1"
post '[{"good":2},{"bad":x},{"good":3}]' >/dev/null
problem "but a syntax error refuses the array" 400 invalid_json
is "and says where" "$(json '$.offset')" 19

# No segment can be made: every request is told to come again.
stop collect
as mkdir -m 0555 "$W/nowhere"
spawn collect "$BIN/forebayd" -c "$W/forebay.conf" -o journal.dir="$W/nowhere" -o collect.workers=1
wait_until 30 fcgi get:/healthz answer
refuse "no place for a segment" 503 unavailable '{"a":1}'
like "come again soon" "$(head_of Retry-After)" '^[0-9]+$'
http GET /readyz >/dev/null
is "not ready" "$(status)" 503
http GET /healthz >/dev/null
is "but alive" "$(status)" 200
as chmod 0755 "$W/nowhere"
ok "and ready when there is a place" wait_until 30 ready
post '{"a":1}' >/dev/null
is "which takes events" "$(status)" 202

# Write keys, and all or nothing.
stop collect
key=$(forebay -o collect.keys="$W/keys" key new --origins https://shop.example shop 2>/dev/null)
collector -o collect.keys="$W/keys"
refuse "no key" 401 unauthorized '{"a":1}'
refuse "another key" 401 unauthorized '{"a":1}' -H 'Authorization: Bearer fbk_0'
refuse "another origin" 403 forbidden '{"a":1}' -H "Authorization: Bearer $key" -H 'Origin: https://other.example'
refuse "a long Idempotency-Key" 400 bad_idempotency_key '{"a":1}' -H "x-api-key: $key" \
	-H "Idempotency-Key: $(printf '%0256d' 0)"
post '{"a":1}' -H "x-api-key: $key" -H 'Idempotency-Key: once' >/dev/null
refuse "another body by one Idempotency-Key" 422 idempotency_key_reused '{"a":2}' -H "x-api-key: $key" \
	-H 'Idempotency-Key: once'
# What was sent twice: from nginx 1.23 on both come, before that the first.
refuse "Idempotency-Keys, joined" 400 bad_idempotency_key '{"a":1}' -H "x-api-key: $key" -H 'Idempotency-Key: a, b'
post '{"a":1}' -H "x-api-key: $key" -H 'Idempotency-Key: a,b' >/dev/null
is "a comma in one" "$(status)" 202
post '{"a":3}' -H "x-api-key: $key" -H 'Idempotency-Key: c' -H 'Idempotency-Key: d' >/dev/null
case $("$NGINX" -v 2>&1) in
*/1.[0-9].*|*/1.1[0-9].*|*/1.2[0-2].*) is "two Idempotency-Keys: an old nginx shows the first" "$(status)" 202 ;;
*) is "two Idempotency-Keys" "$(status) $(json '$.code')" "400 bad_idempotency_key" ;;
esac
post '{"a":1}' -H "x-api-key: $key" -H 'x-api-key: another' >/dev/null
is "two x-api-keys: the first counts" "$(status)" 202
post '{"a":1}' -H "Authorization: Bearer $key" -H 'Origin: https://shop.example' >/dev/null
is "the key opens" "$(status)" 202
http POST "/v1/events?mode=sync&key=$key" --data-binary '[{"a":1},{"a":1e999}]' >/dev/null
problem "one bad event of two, all or nothing" 422 events_refused
is "and says which" "$(json '$.errors[0].index')" 1

codes=$(sed -n 's/^REFUSAL([A-Z_0-9]*, *"\([a-z_0-9]*\)".*/\1/p' "$top_srcdir/src/errors.def")
missed=				# two are nginx's: 19-answers.t
for c in $codes; do
	case " ok rate_limited uri_too_long $SEEN " in *" $c "*) ;; *) missed="$missed $c" ;; esac
done
is "every code was seen" "$missed" ""
is "no worker died of any of it" "$(grep -c worker.died "$W/log/collect.log")" 0
done_testing
