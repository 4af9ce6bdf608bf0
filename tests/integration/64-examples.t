#!/bin/sh
# conf/examples: every request is answered as it says, with keys and without, and every
# statement runs over what came of it.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
world; database; collector; nginx 'keepalive_timeout 500ms;' 'keepalive_time 1s;'; flusher
EXAMPLES=$top_srcdir/conf/examples
FOREBAY_URL=$URL FOREBAY_CA=$W/nginx/tls/cert.pem
export FOREBAY_URL FOREBAY_CA

ok "the requests, without keys" sh "$EXAMPLES/requests"
sed -i "s|^keys =.*|keys = $W/keys|" "$W/forebay.conf"
KEY=$(forebay key new example 2>/dev/null)
# the workers before serve connections that nginx keeps, and want no keys
before=$(children "$(pid_of collect)")
kill -HUP "$(pid_of collect)"
all_gone() { for p in $before; do gone "$p" || return 1; done; }
ok "keys are on" wait_until 40 all_gone
ok "the requests, with a key" env KEY="$KEY" sh "$EXAMPLES/requests"
env KEY=nobody sh "$EXAMPLES/requests" >/dev/null 2>&1 && fail "a wrong key is no success" || pass "a wrong key is no success"

ok "all is flushed" wait_drained 30
is "an event that was sent twice is one" "$(sql "SELECT count(*) FROM forebay.event WHERE id LIKE 'example-%' AND type = 'example'")" 2
sql_script <"$EXAMPLES/payload.sql" >"$W/rows" 2>"$W/sql.err"
is "the statements run" "$?$(cat "$W/sql.err")" 0
like "and find things" "$(cat "$W/rows")" '^LAMP-12[|]'
done_testing
