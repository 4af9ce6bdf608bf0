#!/bin/sh
# PostgreSQL crashes, and its backends are terminated while they load, again and
# again: an unknown COMMIT never loses a batch and never loads it twice.
. "$(dirname "$0")/lib.sh"
if [ -n "${FULL:-}" ]; then ROUNDS=100; else ROUNDS=12; fi
world
database
collector -o journal.segment_age=2s
nginx
flusher -o flush.batch_age=20ms -o flush.batch_rows=300 -o journal.keep=0 -o journal.keep_min=0

load_start --rate 2000 --seconds 900 --oracle "$W/oracle"
wait_until 60 sql_is "SELECT count(*) > 100 FROM forebay.event" t
stops

loading() { sql_is "SELECT count(*) > $1 FROM forebay.event" t; }

crashes=0 terminated='' torn='' i=0
while [ $i -lt $ROUNDS ] && alive $LOAD; do
	i=$((i + 1))
	draw 4
	if [ "$DRAWN" = 0 ]; then
		pg_stop immediate
		crashes=$((crashes + 1))
		pg_start
	elif at "$DRAWN" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'flusher';"; then
		terminated="$terminated $DRAWN"
	else
		note "no backend came to gate $DRAWN"
	fi
	books_hold || torn="$torn $DRAWN"
	wait_until 3 loading "$(sql "SELECT count(*) + 500 FROM forebay.event")"
done
note "$crashes crashes, backends terminated at$terminated"
ok "backends were terminated at work" test "$(echo "$terminated" | wc -w)" -ge $((ROUNDS / 4))
is "no transaction was torn: rows and progress agree after each" "$torn" ""
kill $LOAD 2>/dev/null
load_end "no answer but 202"
ok "everything arrives" wait_drained 60
stop flush	# it removes segments
verify "each acknowledged event once, none counted twice" --no-duplicates "$W/oracle"
is "audit says so too" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
done_testing
