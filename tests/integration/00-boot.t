#!/bin/sh
# The programs start, answer their small questions, and stop.
. "$(dirname "$0")/lib.sh"
world
collector
nginx

http GET / >/dev/null
is "GET / is answered" "$(status)" 200
is "it names itself" "$(json '$.name')" forebay
is "and its version" "forebayd $(json '$.version')" "$(as "$BIN/forebayd" --version)"
is "as JSON" "$(head_of Content-Type)" application/json
is "that nobody keeps" "$(head_of Cache-Control)" no-store

http GET /v1/time >/dev/null
is "GET /v1/time is answered" "$(status)" 200
now=$(date +%s)
t=$(($(json '$.unix_us') / 1000000))
ok "with the time" test "$t" -ge $((now - 5)) -a "$t" -le "$now"
is "twice the same" "$(sql "SELECT floor(extract(epoch FROM '$(json '$.time')'::timestamptz))")" "$t"

http GET /healthz >/dev/null
is "GET /healthz: alive" "$(status)" 200
http GET /readyz >/dev/null
is "GET /readyz: ready" "$(status)" 200
http GET / --http2 >/dev/null
like "HTTP/2 works" "$(head -n 1 "$W/head")" '^HTTP/2 200'
http HEAD / -I >/dev/null
is "so does HEAD" "$(status)" 200
is "which has no body" "$(wc -c <"$W/body")" "$(wc -c <"$W/head")"

http GET /v1/nothing >/dev/null
is "another path is not there" "$(status) $(json '$.code')" "404 not_found"
http GET /v1/events >/dev/null
is "events are not read here" "$(status) $(json '$.code')" "405 method_not_allowed"
is "and the method that works is named" "$(head_of Allow)" POST
http POST /healthz --data x >/dev/null
is "nor is health posted" "$(status)" 405

# A node that is drained says so to the load balancer and goes on accepting.
as touch "$W/run/draining"
ok "the drain mark makes it unready" wait_until 30 not_ready
post '{"drained":true}' >/dev/null
is "but it accepts" "$(status)" 202
rm "$W/run/draining"
ok "without the mark it is ready again" wait_until 30 ready

ok "SIGTERM ends the collector" stop collect TERM 20
like "in order" "$(tail -n 1 "$W/log/collect.log")" 'stopped'
done_testing
