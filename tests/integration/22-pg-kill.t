#!/bin/sh
# PostgreSQL crashes, and its backends are terminated while they load, again and
# again: an unknown COMMIT never loses a batch and never loads it twice.
. "$(dirname "$0")/lib.sh"
if [ -n "${FULL:-}" ]; then ROUNDS=100; else ROUNDS=12; fi
world
database
collector -o journal.segment_age=2s
nginx
flusher -o flush.batch_age=20ms -o flush.batch_rows=300

load_start --rate 2000 --seconds $((ROUNDS * 2)) --oracle "$W/oracle"
wait_until 10 sql_is "SELECT count(*) > 100 FROM forebay.event" t

# Terminates the flusher's backend; best in the middle of what it does.
terminate() {
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE usename = 'flusher' AND state <> 'idle' LIMIT 1" | grep -q t
}
loading() { sql_is "SELECT count(*) > $1 FROM forebay.event" t; }

crashes=0 terminated=0 i=0
while [ $i -lt $ROUNDS ] && alive $LOAD; do
	i=$((i + 1))
	draw 4
	if [ "$DRAWN" = 0 ]; then
		pg_stop immediate
		crashes=$((crashes + 1))
		pg_start
	else
		wait_until 2 terminate && terminated=$((terminated + 1))
	fi
	wait_until 3 loading "$(sql "SELECT count(*) + 500 FROM forebay.event")"
done
note "$crashes crashes, $terminated backends terminated"
ok "backends were terminated at work" test $terminated -ge $((ROUNDS / 4))
kill $LOAD 2>/dev/null
load_end "no answer but 202"
ok "everything arrives" wait_drained 60
ok "each acknowledged event once, none counted twice" verify --no-duplicates "$W/oracle"
done_testing
