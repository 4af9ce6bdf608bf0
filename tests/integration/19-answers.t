#!/bin/sh
# Every answer, nginx's own too, has one form and a code of errors.def; who may come
# again is told when; browsers of other origins get what origins.conf says, from
# nginx alone; and nothing that was sent comes back.
. "$(dirname "$0")/lib.sh"
world
sed -i "s|^keys =.*|keys = $W/keys|" "$W/forebay.conf"
KEY=$(forebay key new --origins https://a.example web 2>/dev/null)
TOKEN="Authorization: Bearer $KEY"
cat >"$W/nginx/origins.conf" <<'CONF'
"https://a.example" 1;
"https://b.example:8443" 1;
"~^https://[a-z]+\.c\.example$" 1;
CONF
collector -o collect.body_bytes=64K
nginx
HOST_PORT=localhost:$PORT

# what answers to POST say of caching: nothing, or browsers keep count of them
post() {
	http POST /v1/events --data-binary "$@"
	echo "$(status) $(head_of Cache-Control)" >>"$W/caching"
}

# raw TEXT: the answer to bytes that no client would send, head and body
raw() {
	printf '%b' "$1" | timeout 10 openssl s_client -quiet -connect "$HOST_PORT" \
		-CAfile "$W/nginx/tls/cert.pem" 2>/dev/null | tr -d '\r' >"$W/raw"
	sed '/^$/q' "$W/raw" >"$W/head"
	sed '1,/^$/d' "$W/raw" >"$W/body"
}
# errors.def in columns: code, status
sed -n 's/^REFUSAL([A-Z_0-9]*, *"\([a-z_0-9]*\)", *\([0-9]*\), *"\(.*\)")$/\1 \2 \3/p' "$top_srcdir/src/errors.def" >"$W/codes"
is "errors.def is understood" "$(grep -c . "$W/codes")" "$(grep -c '^REFUSAL(' "$top_srcdir/src/errors.def")"
has_code() { grep -q "^$1 $2 " "$W/codes"; }

# problem WHAT STATUS CODE: the last answer
problem() {
	is "$1" "$(status) $(json '$.code')" "$2 $3"
	is "$1: the form" "$(head_of Content-Type) $(json '$.type') $(json '$.status') $(
		[ "$(json '$.title')" ] && [ "$(json '$.message')" ] && [ "$(json '$.detail')" ] && echo texts)" \
		"application/problem+json about:blank $2 texts"
	ok "$1: the code is known" has_code "$3" "$2"
	case $2 in
	429|503) like "$1: when to come again, once" "$(head_of Retry-After)" '^[1-9][0-9]*$' ;;
	*)	is "$1: no use in coming again" "$(head_of Retry-After)" "" ;;
	esac
	case $2 in 401) like "$1: how to show a key" "$(head_of WWW-Authenticate)" '^Bearer' ;; esac
}

# --- the collector's ------------------------------------------------------------------
post '{"a":' -H "$TOKEN" >/dev/null
problem "bad JSON" 400 invalid_json
post '{"a":1}' >/dev/null
problem "no key" 401 unauthorized
post '{"a":1}' -H "$TOKEN" -H 'Origin: https://evil.example' >/dev/null
problem "a foreign origin" 403 forbidden
http GET /nothing >/dev/null
problem "no such path" 404 not_found
http DELETE /v1/events >/dev/null
problem "no such method" 405 method_not_allowed
is "which there are" "$(head_of Allow)" POST
head -c 70000 /dev/zero | post @- -H "$TOKEN" >/dev/null
problem "a large body" 413 body_too_large
post '{"a":1}' -H "$TOKEN" -H 'Content-Encoding: br' >/dev/null
problem "another encoding" 415 unsupported_encoding
http POST '/v1/events?mode=sync' --data-binary '{"a":"\u0000"}' -H "$TOKEN" >/dev/null
problem "sync" 422 events_refused
post '{"a":1}' -H "$TOKEN" -H "Idempotency-Key: $(printf '%0256d' 1)" >/dev/null
problem "a long Idempotency-Key" 400 bad_idempotency_key

# --- nginx's own ------------------------------------------------------------------------
head -c 5000000 /dev/zero | post @- >/dev/null
problem "nginx: a body beyond its limit" 413 body_too_large
http GET "/$(printf '%09000d' 0)" --http1.1 >/dev/null
problem "nginx: a long URI" 414 uri_too_long
http GET / --http1.1 -H "X-Long: $(printf '%09000d' 0)" >/dev/null
problem "nginx: a long header" 400 bad_request
raw 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'
problem "nginx: no Host" 400 bad_request
raw 'nonsense\r\n\r\n'
problem "nginx: no request line" 400 bad_request
raw 'GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: 1\r\nConnection: close\r\n\r\n'
problem "nginx: a header that is none" 400 bad_request
raw 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\nConnection: close\r\n\r\n'
problem "nginx: a length that is none" 400 bad_request
raw 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nxyz\r\n'
problem "nginx: chunks that are none" 400 bad_request
raw 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n'
is "nginx: a transfer encoding that it lacks" "$(status)" 400
printf 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' >"$W/plain"
curl -sS --max-time 10 -o "$W/body" -D "$W/head" "http://$HOST_PORT/"
problem "nginx: no TLS" 400 bad_request
raw 'TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
problem "nginx: TRACE" 405 method_not_allowed

# what its map says agrees with errors.def, word for word but for 400 and 503
for s in 404 405 413 414 429; do
	code=$(awk -v s=$s '/^map .status .forebay_code/ { m = 1 } m && $1 == s { sub(";", "", $2); print $2; exit }' "$W/nginx/conf/http.conf")
	text=$(awk -v s=$s '/^map .status .forebay_message/ { m = 1 } m && $1 == s { sub(/^[^"]*"/, ""); sub(/";$/, ""); print; exit }' "$W/nginx/conf/http.conf")
	is "nginx: $s is in errors.def" "$(grep "^$code $s " "$W/codes")" "$code $s $text"
done

# --- HEAD and OPTIONS -------------------------------------------------------------------
for path in / /v1/time /healthz /readyz; do
	curl -sS --http1.1 --max-time 10 --cacert "$W/nginx/tls/cert.pem" -I "$URL$path" >"$W/head"
	is "HEAD $path" "$(status) $(head_of Content-Type)" "200 application/json"
done
for path in /v1/events:405 /nothing:404 "/$(printf '%09000d' 0):414"; do
	curl -sS --http1.1 --max-time 10 --cacert "$W/nginx/tls/cert.pem" -I "$URL${path%:*}" >"$W/head"
	is "HEAD $(echo "$path" | cut -c 1-20)" "$(status) $(head_of Content-Type)" "${path##*:} application/problem+json"
done
for path in / /v1/events /nothing '/v1/events?mode=sync&key=x'; do
	http OPTIONS "$path" >/dev/null
	is "OPTIONS $path" "$(status) $(wc -c <"$W/body") $(head_of Access-Control-Allow-Origin)" "204 0 "
done

# --- origins ----------------------------------------------------------------------------
# cors WHAT ORIGIN: what the last answer allows
cors() {
	is "$1" "$(head_of Access-Control-Allow-Origin) $(head_of Access-Control-Allow-Credentials) $(
		head_of Access-Control-Expose-Headers)" "$2 true Retry-After"
	like "$1: Vary" "$(head_of Vary)" '^Origin(, Access-Control-Request-Headers)?$'
}
no_cors() {
	is "$1" "$(grep -ic '^access-control' "$W/head")" 0
	like "$1: Vary" "$(head_of Vary)" '^Origin(, Access-Control-Request-Headers)?$'
}
preflight() {	# preflight ORIGIN PATH
	http OPTIONS "$2" -H "Origin: $1" -H 'Access-Control-Request-Method: POST' \
		-H 'Access-Control-Request-Headers: authorization,content-type,traceparent' >/dev/null
}
requests() { curl -sS --unix-socket "$W/run/metrics.sock" http://localhost/metrics | awk '$1 == "forebay_requests_total" { print $2 }'; }
before=$(requests)
for path in /v1/events / /nothing /v1/events?mode=sync /readyz; do
	preflight https://a.example "$path"
	is "preflight of $path" "$(status)" 204
	cors "preflight of $path" https://a.example
	is "preflight of $path: methods, headers, age" "$(head_of Access-Control-Allow-Methods)|$(
		head_of Access-Control-Allow-Headers)|$(head_of Access-Control-Max-Age)" \
		'GET, HEAD, POST|authorization,content-type,traceparent|86400'
done
for origin in https://b.example:8443 https://shop.c.example; do
	preflight $origin /v1/events
	cors "preflight of $origin" $origin
done
for origin in https://evil.example http://a.example https://a.example.evil.example https://a.example:444 \
	https://c.example https://x.y.c.example https://xc.example null 'https://a.example https://b.example:8443'; do
	preflight "$origin" /v1/events
	is "preflight of $origin" "$(status)" 204
	no_cors "is refused: $origin"
done
is "no worker saw any of them" "$(requests)" $((before + 1))

post '{"a":1}' -H "$TOKEN" -H 'Origin: https://a.example' >/dev/null
is "a request of that origin" "$(status)" 202
cors "is allowed to see the answer" https://a.example
is "without what is for preflights" "$(head_of Access-Control-Max-Age)$(head_of Access-Control-Allow-Methods)" ""
post '{"a":1}' -H 'Origin: https://a.example' >/dev/null
is "an error" "$(status)" 401
cors "may be seen too" https://a.example
head -c 5000000 /dev/zero | post @- -H 'Origin: https://a.example' >/dev/null
is "nginx's own error" "$(status)" 413
cors "as well" https://a.example
is "with what every answer of this server has" "$(head_of Strict-Transport-Security)" max-age=63072000
post '{"a":1}' -H "$TOKEN" -H 'Origin: https://evil.example' >/dev/null
is "a foreign origin" "$(status)" 403
no_cors "sees nothing"
post '{"a":1}' -H "$TOKEN" >/dev/null
no_cors "no origin: no header"

# --- beacons ------------------------------------------------------------------------------
beacon() {	# beacon WHAT [curl options]: cannot set headers, so the key is in the query
	local what=$1
	shift
	http POST "/v1/events?key=$KEY" --data-binary '{"beacon":1}' -H 'Origin: https://a.example' "$@" >/dev/null
	is "beacon: $what" "$(status) $(json '$.accepted')" "202 1"
}
beacon "text/plain" -H 'Content-Type: text/plain;charset=UTF-8'
beacon "no type" -H 'Content-Type:'
beacon "a form's type" -H 'Content-Type: application/x-www-form-urlencoded'
beacon "a type that is none" -H 'Content-Type: ;;;'
beacon "several events" -H 'Content-Type: text/plain'

# --- nothing that was sent comes back -------------------------------------------------------
M=zq7marker
echoed() { ! grep -qi "$M" "$W/head" "$W/body"; }
for body in "{\"$M\":" "$M" "{\"a\":\"$M\\ud800\"}" "[\"$M\"]" "{\"type\":\"$M$(printf '%0300d' 0)\"}"; do
	post "$body" -H "$TOKEN" -H "x-api-key: $M" -H "Idempotency-Key: $M" -H "Origin: https://$M.example" \
		-H "traceparent: $M" -H "X-Request-Id: $M" -A "$M" >/dev/null
	ok "not in a $(status)" echoed
	post "$body" -H "x-api-key: $KEY" -H "Idempotency-Key: $M" -H "traceparent: $M" -A "$M" >/dev/null
	ok "nor in a $(status)" echoed
done
post "{\"$M\":1}" -H "$TOKEN" -H "Idempotency-Key: $M" >/dev/null
ok "nor in a $(status)" echoed
for path in "/$M" "/v1/events/$M" "/v1/events?mode=$M" "/?$M" "/%3Cscript%3E$M" "/$M$(printf '%09000d' 0)"; do
	http GET "$path" >/dev/null
	ok "nor in a $(status) of a path" echoed
done
http "$M" / >/dev/null
ok "nor in a $(status) of a method" echoed
raw "GET / HTTP/1.1\r\nHost: $M\x01\r\n$M: 1\r\nConnection: close\r\n\r\n"
ok "nor in a $(status) of nginx" echoed

# --- the rest of nginx's own: limits, and a collector that is not there -----------------------
stop nginx
sed -i 's|^\tinclude .*/server.conf;|\tlimit_req zone=forebay_req burst=1 nodelay;\n\tlimit_req_status 429;\n&|' "$W/nginx/conf/site.conf"
sed -i 's|rate=[0-9]*r/s|rate=1r/m|' "$W/nginx/conf/http.conf"
again() {
	spawn nginx "$NGINX" -p "$W/nginx" -c nginx.conf -e "$W/nginx/log/nginx-error.log" -g 'daemon off;'
	wait_until 30 nginx_settled
}
again
limited() { post '{"a":1}' -H "$TOKEN" -H 'Origin: https://a.example' >/dev/null; [ "$(status)" = 429 ]; }
ok "too many requests" wait_until 30 limited
problem "nginx: too many requests" 429 rate_limited
cors "nginx: which a page may see" https://a.example

stop nginx
sed -i '/limit_req zone=/d' "$W/nginx/conf/site.conf"
sed -i 's|fastcgi_read_timeout .*|fastcgi_read_timeout 1s;|; s|fastcgi_connect_timeout .*|fastcgi_connect_timeout 1s;|' "$W/nginx/conf/fastcgi.conf"
again
stop collect
post '{"a":1}' -H "$TOKEN" -H 'Origin: https://a.example' >/dev/null
problem "nginx: nobody there (502)" 503 unavailable
cors "nginx: which a page may see" https://a.example
collector
workers=$(children "$(pid_of collect)")
# shellcheck disable=SC2086	# pids, word by word
kill -STOP $workers
post '{"a":1}' -H "$TOKEN" >/dev/null
# shellcheck disable=SC2086
kill -CONT $workers
problem "nginx: nobody answers (504)" 503 unavailable
as mkdir -m 0555 "$W/nowhere"
stop collect
spawn collect "$BIN/forebayd" -c "$W/forebay.conf" -o journal.dir="$W/nowhere"
wait_until 30 fcgi get:/healthz answer
post '{"a":1}' -H "$TOKEN" -H 'Origin: https://a.example' >/dev/null
problem "the collector's own 503" 503 unavailable
is "has one Retry-After" "$(grep -ic '^retry-after' "$W/head")" 1
cors "which a page may see" https://a.example
like "answers to POST, 2xx to 5xx, were looked at" "$(cut -c 1 "$W/caching" | sort -u | tr -d "\\n")" "^245$"
is "none of them says how to be cached" "$(awk "NF > 1" "$W/caching" | sort -u)" ""
done_testing
