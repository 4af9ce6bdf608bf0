#!/bin/sh
# Behind PgBouncer: in transaction mode, whatever is killed, each event stands once, and
# who shares the pool finds his session as he left it; session mode works, statement mode
# is refused with words. FULL=1: 30 kills. PGBOUNCER: another one's path.
. "$(dirname "$0")/lib.sh"
PGBOUNCER=${PGBOUNCER:-$(PATH=$PATH:/usr/sbin command -v pgbouncer)}
[ -n "$PGBOUNCER" ] || skip_all "no pgbouncer (Debian: pgbouncer)"
if [ -n "${FULL:-}" ]; then KILLS=30; else KILLS=6; fi
world
database
stops
note "$("$PGBOUNCER" --version | head -n 1)"

# Two sessions, and each statement gets the one that has rested longer.
as mkdir "$W/pool"
printf '"flusher" ""\n"forebay" ""\n' >"$W/pool.users"
pool_conf() {			# pool_conf DATABASE: where `moving` leads to
	cat >"$W/pool.ini" <<-END
		[databases]
		forebay = host=$W/run dbname=forebay
		session = host=$W/run dbname=forebay pool_mode=session
		statement = host=$W/run dbname=forebay pool_mode=statement
		moving = host=$W/run dbname=$1
		[pgbouncer]
		listen_addr =
		unix_socket_dir = $W/pool
		listen_port = 6432
		auth_type = trust
		auth_file = $W/pool.users
		admin_users = forebay
		pool_mode = transaction
		default_pool_size = 2
		server_round_robin = 1
		server_login_retry = 1
		query_wait_timeout = 20
	END
}
pool_conf forebay
pool() { spawn pool "$PGBOUNCER" -q "$W/pool.ini"; }
pool_sql() { as "$PG/psql" -XqAt -h "$W/pool" -p 6432 -U "$1" -d "$2" -c "$3"; }
pooled() { [ "$(pool_sql flusher forebay 'SELECT 1' 2>/dev/null)" = 1 ]; }
pool
wait_until 30 pooled || bail "pgbouncer does not start"
sed -i "s|^conninfo = .*|conninfo = host=$W/pool port=6432 user=flusher dbname=forebay|" "$W/forebay.conf"

# What another client of the pool finds: what he or the pooler did not set.
left_over() {
	pool_sql flusher forebay "SELECT string_agg(name || '=' || setting, ' ') FROM pg_settings WHERE source = 'session'
		AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
		UNION ALL SELECT 'prepared ' || statement FROM pg_prepared_statements
		UNION ALL SELECT 'advisory ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
		UNION ALL SELECT 'temporary ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()" | grep . ||:
}
foreign() {			# every session of the pool, more than once
	local i
	for i in 1 2 3 4 5 6; do left_over; done | sort -u
}
is "the pool is clean" "$(foreign)" ""

collector -o journal.segment_age=3s
nginx
flusher_supervised -o flush.batch_age=50ms -o flush.batch_rows=500

# kill_at GATE KIND: the flusher, its session, or the pooler
kill_at() {
	case $2 in
	0) at "$1" "\\! kill -9 $(pid_of flush)" ;;
	1) at "$1" "SELECT pg_terminate_backend(min(pid)) FROM pg_stat_activity WHERE usename = 'flusher' AND state = 'active';" ;;
	2) at "$1" "\\! kill -9 $(pid_of pool)" && { pool; wait_until 30 pooled; } ;;
	esac 2>/dev/null
}
load_start -c 16 --rate 1500 --seconds 900 --oracle "$W/oracle1"
killed='' torn='' i=0
while [ $i -lt $KILLS ]; do
	draw 3; gate=$((DRAWN + 1))
	kill_at $gate $((i % 3)) && killed="$killed $gate:$((i % 3))"
	books_hold || torn="$torn $gate:$((i % 3))"
	i=$((i + 1))
done
kill "$LOAD"
load_end "no answer but 202"
note "killed, gate:kind$killed"
ok "flushers, sessions and poolers were killed" test "$(echo "$killed" | wc -w)" -ge $((KILLS / 2))
is "rows and progress always agreed" "$torn" ""
ok "everything is flushed" wait_drained 60
verify "each acknowledged event once, none twice" --no-duplicates "$W/oracle1"
is "another client finds nothing of it" "$(foreign)" ""

# everything twice: the way that tells duplicates; two connections at once
unsupervise flush
alarms() { tail -n "+$MARK" "$W/log/flush.log" | grep -Ec 'flush.(alarm|wait)'; }
MARK=$(($(wc -l <"$W/log/flush.log") + 1))
not_at_midnight 120
twice() { load -c 8 --events 50 --form ndjson --requests 60 --seed "$SEED" --oracle "$W/oracle.$1"; }
ok "3,000 events" twice 2
ok "the same once more" twice 3
flusher -o flush.batch_rows=300
ok "all of it is flushed" wait_drained 60
verify "once" "$W/oracle1" "$W/oracle.2" "$W/oracle.3"
is "what came twice counts as that" "$(sql "SELECT sum(duplicates) FROM forebay.progress")" 3000
is "without an alarm or a wait" "$(alarms)" 0
ok "audit reads through the pool" sh -c "as() { $AS \"\$@\"; }; as '$BIN/forebay' -c '$W/forebay.conf' audit | grep -q '^clean: '"
ok "so does where" forebay where "$(sql "SELECT segment || ':1' FROM forebay.progress WHERE last_seq > 0 LIMIT 1")"
is "another client finds nothing of all that" "$(foreign)" ""

# PostgreSQL is another one between two batches, and the connection to the pooler stays
rows() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) print "{\"n\":" i "}" }' | journal_tool plant "$J" >/dev/null; }
loaded() { sql_is "SELECT count(*) FROM forebay.event" $((BEFORE + $1)); }
logged() { tail -n "+$MARK" "$W/log/flush.log" | grep -Eq -- "$1"; }
mark() { MARK=$(($(wc -l <"$W/log/flush.log") + 1)); }
BEFORE=$(sql "SELECT count(*) FROM forebay.event")
mark
pg_stop
pg_start
rows 10
ok "PostgreSQL restarted behind the pooler: rows are loaded" wait_until 60 loaded 10
ok "after progress was read again" wait_until 30 logged flush.connected
stop flush
DB=postgres sql "CREATE DATABASE other"
DB=other migrate >/dev/null
flusher -o flush.conninfo="host=$W/pool port=6432 user=flusher dbname=moving"
rows 10
ok "another name of the pool" wait_until 30 loaded 20
mark
pool_conf other
pool_sql forebay pgbouncer RELOAD
rows 10
ok "it leads to another database: an alarm" wait_until 60 logged "flush.alarm this is another database"
is "nothing is loaded there" "$(DB=other sql "SELECT count(*) FROM forebay.event")" 0
mark
pool_conf forebay
pool_sql forebay pgbouncer RELOAD
ok "and back: rows are loaded" wait_until 60 loaded 30
stop flush

mark
flusher -o flush.conninfo="host=$W/pool port=6432 user=flusher dbname=statement"
ok "statement mode: an alarm says what to do" wait_until 30 logged "flush.alarm .*pool_mode = transaction"
stop flush
flusher -o flush.conninfo="host=$W/pool port=6432 user=flusher dbname=session"
rows 10
ok "session mode: rows are loaded" wait_until 30 loaded 40
ok "it stops" stop flush
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0
done_testing
