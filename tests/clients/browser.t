#!/bin/sh
# A real browser: pages of two other origins, one let in and one not, over TLS; what
# they see, and what stands in PostgreSQL. Run by `make check-clients`.
. "$(dirname "$0")/../integration/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
for tool in node npm; do
	command -v $tool >/dev/null || skip_all "no $tool (Debian: nodejs, npm)"
done
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser)} ||
	skip_all "no chromium (Debian: chromium)"
MODULES=$top_builddir/tests/clients/browser
mkdir -p "$MODULES" && cp "$HERE"/browser/package*.json "$HERE"/browser/*.mjs "$MODULES/" || bail "cannot write $MODULES"
[ -w "${HOME:-/nonexistent}" ] || export npm_config_cache="$MODULES/npm-cache"
(cd "$MODULES" && npm ci --ignore-scripts --no-audit --no-fund) >"$MODULES/npm.log" 2>&1 ||
	skip_all "npm cannot install playwright-core: $(grep -m 1 'code E' "$MODULES/npm.log")"

world
database
sed -i "s|^keys =.*|keys = $W/keys|" "$W/forebay.conf"
is_free() {			# 7: nobody listens there
	local rc=0
	curl -s --max-time 2 "http://127.0.0.1:$1" || rc=$?
	[ $rc = 7 ]
}
free_ports() {
	PAGE_PORT=$(shuf -n 1 -i 32001-32700)
	is_free "$PAGE_PORT" && is_free $((PAGE_PORT + 1))
}
wait_until 30 free_ports && ALLOWED=https://localhost:$PAGE_PORT REFUSED=https://localhost:$((PAGE_PORT + 1))
KEY=$(forebay key new --name page --origins "$ALLOWED" page 2>/dev/null)
echo "\"$ALLOWED\" 1;" >"$W/nginx/origins.conf"
collector
nginx
flusher

# its TAP goes through with the numbers of this test
as mkdir "$W/home"
as cp -r "$MODULES" "$W/browser"
as env HOME="$W/home" TMPDIR="$W/home" CHROMIUM="$CHROMIUM" TLS_KEY="$W/nginx/tls/key.pem" TLS_CERT="$W/nginx/tls/cert.pem" \
	timeout 120 node "$W/browser/page.mjs" "$URL" "$ALLOWED" "$REFUSED" "$KEY" >"$W/tap" 2>"$W/log/browser.log"
rc=$?
sed 's/^/# browser: /' "$W/tap"
is "the pages see what they should" "$rc $(grep '^not ok' "$W/tap")" "0 "
like "all that was to be tried was" "$(tail -n 1 "$W/tap")" '^1\.\.[0-9]+$'

way() { sql "SELECT count(*) FROM forebay.event WHERE payload->>'way' = '$1'"; }
way_is() { [ "$(way "$1")" = "$2" ]; }
while read -r n what; do
	ok "in PostgreSQL: $what: $n" wait_until 60 way_is "$what" "$n"
done <<-'END'
	1 fetch json
	2 many headers
	1 cookies
	1 sync
	1 simple
	1 simple again
	1 beacon text
	1 beacon blob
	1 beacon text/plain
	1 beacon application/json
	1 beacon application/x-www-form-urlencoded
	1 beacon at the end
	1 keepalive
	1500 many with keepalive
END
ok "all is flushed" wait_until 60 drained
is "of a refused origin nothing" "$(sql "SELECT count(*) FROM forebay.event WHERE payload->>'way' LIKE 'refused%'")" 0
is "nor of its bodies" "$(sql "SELECT count(*) FROM forebay.rejection WHERE convert_from(payload, 'UTF8') LIKE '%refused%'")" 0
is "no more than that" "$(sql "SELECT count(*) FROM forebay.event")" 1514
is "all by the key's name and source" "$(sql "SELECT DISTINCT key || ' ' || source FROM forebay.event")" "page page"
like "with the browser's name" "$(sql "SELECT DISTINCT context->>'user_agent' FROM forebay.event")" 'Chrome/[0-9]+'
done_testing
