# shellcheck shell=sh disable=SC2154
# forebay beside what a team would write instead, end to end: the same nginx, load, and
# table; the CPU time of everything until the last event stands in PostgreSQL.
#   fastapi   two API processes, Redis Streams (AOF, everysec), a worker that COPYs
#   node      a cluster of two, one INSERT a request
PEERS=$top_srcdir/tests/bench/peers

# nginx before a program that speaks HTTP at peer.sock; the rest is forebay's own
nginx_before_peer() {
	local own=$top_srcdir
	rm -rf "$W/peer-nginx"
	mkdir -p "$W/peer-nginx/conf"
	cp -r "$top_srcdir/conf/nginx" "$W/peer-nginx/conf/"
	cp -r "$top_srcdir/scripts" "$W/peer-nginx/"
	cp "$PEERS/proxy.conf" "$W/peer-nginx/conf/nginx/fastcgi.conf"
	sed -i 's|/forebay.sock;|/peer.sock;|' "$W/peer-nginx/conf/nginx/http.conf.in"
	top_srcdir=$W/peer-nginx
	nginx
	top_srcdir=$own
}
answers() { curl -s -o "$W/body" --unix-socket "$W/run/peer.sock" http://peer/; }

fastapi_missing() {
	command -v redis-server >/dev/null || { echo "no_redis-server_(Debian:_redis-server)"; return; }
	/usr/bin/python3 -c 'import fastapi, uvicorn, uvloop, httptools, redis, hiredis, asyncpg' 2>/dev/null ||
		echo "a_package_of_Debian's_is_missing:_python3-fastapi_uvicorn_uvloop_httptools_redis_hiredis_asyncpg"
}
fastapi_start() {
	as mkdir -p "$W/redis"
	cp "$PEERS"/*.py "$W/peers/"
	spawn redis redis-server --port 0 --unixsocket "$W/run/redis.sock" --dir "$W/redis" \
		--save '' --appendonly yes --appendfsync everysec
	wait_until 10 test -S "$W/run/redis.sock" || bail "Redis does not start"
	spawn worker env PGHOST="$W/run" REDIS_SOCKET="$W/run/redis.sock" /usr/bin/python3 "$W/peers/worker.py"
	spawn api env REDIS_SOCKET="$W/run/redis.sock" /usr/bin/python3 -m uvicorn --app-dir "$W/peers" api:app \
		--uds "$W/run/peer.sock" --workers 2 --loop uvloop --http httptools --no-access-log \
		--log-level warning --timeout-keep-alive 75
}
fastapi_empty() { [ "$(as redis-cli -s "$W/run/redis.sock" XLEN events)" = 0 ]; }
fastapi_stop() { stop api; stop worker; stop redis; as rm -rf "$W/redis"; }

node_missing() {
	command -v node >/dev/null && command -v npm >/dev/null || { echo "no_node_or_npm_(Debian:_nodejs,_npm)"; return; }
	mkdir -p "$top_builddir/tests/bench/peers"
	cp "$PEERS"/package*.json "$top_builddir/tests/bench/peers/"
	(cd "$top_builddir/tests/bench/peers" && npm ci --ignore-scripts --no-audit --no-fund) >"$W/log/npm.log" 2>&1 ||
		echo "npm_cannot_install_pg"
}
node_start() {
	cp -r "$PEERS/insert.js" "$top_builddir/tests/bench/peers/node_modules" "$W/peers/"
	sql "SELECT forebay.make_partitions_ahead(1)" >/dev/null
	spawn api env NODE_ENV=production PGHOST="$W/run" SOCKET="$W/run/peer.sock" node "$W/peers/insert.js"
}
node_empty() { :; }
node_stop() { stop api; }

forebay_missing() { :; }
forebay_empty() { drained; }

peers_one() {
	local n warm
	pg_empty
	rm -f "$W/run/peer.sock"
	if [ "$1" = forebay ]; then
		with forebayd
		flusher
	else
		"$1_start"
		wait_until 20 answers || bail "$1 does not get ready"
		nginx_before_peer
	fi
	load -c "$CONNECTIONS" --seconds 2 || bail "unexpected answers"
	warm=$(field answered)
	wait_until 60 "$1_empty" || bail "what was sent to get warm is not carried on"
	cpu_begin
	load -c "$CONNECTIONS" --seconds "$SECONDS_EACH" || bail "unexpected answers"
	n=$(now_ms)
	wait_until 120 "$1_empty" || bail "$1 does not carry on what it has"
	n=$(($(now_ms) - n))
	cpu_end "$(field answered)" "$(field cpu_seconds)"
	[ "$(sql "SELECT count(*) FROM forebay.event")" = $((warm + $(field answered))) ] ||
		bail "$1: PostgreSQL has not what was acknowledged"
	record "$1" "rate=$(field rate)" "p50=$(field p50)" "p99=$(field p99)" "p99.9=$(field p99.9)" "max=$(field max)" \
		$SPENT "behind_ms=$n" "kib=$(peak_kib collect flush api redis worker)"
	if [ "$1" = forebay ]; then
		stop flush
		without
	else
		stop nginx
		"$1_stop"
	fi
}

peers() {
	local peer reason there=forebay
	mkdir -p "$W/peers"
	for peer in fastapi node; do
		reason=$("${peer}_missing")
		if [ -n "$reason" ]; then
			record "$peer" "skipped=$reason"
		else
			there="$there $peer"
		fi
	done
	[ -z "$AS" ] || chown -R "$USER_NAME" "$W/peers"
	alternate peers_one $there
}
