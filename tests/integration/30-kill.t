#!/bin/sh
# kill -9 of a random worker every second and of the flusher every two, under load
# over TLS: what was answered with 2xx stands in PostgreSQL once, nothing stands twice.
# FULL=1: 200,000 events.
. "$(dirname "$0")/lib.sh"
if [ -n "${FULL:-}" ]; then N=200000 RATE=8000; else N=30000 RATE=2500; fi
world
database
collector -o journal.segment_age=3s
nginx
stops
flusher_supervised -o flush.batch_age=50ms -o flush.batch_rows=1000

kill_worker() {
	# shellcheck disable=SC2046	# pids, word by word
	set -- $(children "$(pid_of collect)")
	[ $# -gt 0 ] || return 0
	draw $#
	shift "$DRAWN"
	kill -9 "$1" 2>/dev/null && workers=$((workers + 1))
}

# kill_while PID: until the load has ended
kill_while() {
	local second=0
	workers=0 flushers='' torn=''
	while alive "$1"; do
		sleep 1
		kill_worker
		second=$((second + 1))
		[ $((second % 2)) = 0 ] || continue
		draw 3
		at $((DRAWN + 1)) "\\! kill -9 $(pid_of flush)" 2>/dev/null && flushers="$flushers $((DRAWN + 1))"
		books_hold || torn="$torn $((DRAWN + 1))"
	done
	note "killed $workers workers, flushers at$flushers"
}

# Every event is sent once.
load_start -c 64 --requests $N --rate $RATE --expect 202,503 --oracle "$W/oracle1"
kill_while $LOAD
load_end "no answer but 202 and 503, and always an answer"
ok "workers were killed" test $workers -ge 5
ok "flushers were killed" test "$(echo "$flushers" | wc -w)" -ge 2
is "rows and progress always agreed" "$torn" ""
ok "everything is flushed" wait_drained 60
verify "each acknowledged event once, none twice" --no-duplicates "$W/oracle1"

# The same from clients that send again after 503, several events a request: all of it arrives.
not_at_midnight 120
load_start -c 64 --form ndjson --events 5 --requests $((N / 10)) --rate $((RATE / 10)) --retry \
	--expect 202,503 --oracle "$W/oracle2"
kill_while $LOAD
load_end "with retries every request is accepted in the end"
is "rows and progress always agreed" "$torn" ""
ok "everything is flushed again" wait_drained 60
verify "once, though some was sent twice" "$W/oracle1" "$W/oracle2"
is "nothing is missing" "$(sql "SELECT count(*) FROM forebay.event WHERE id LIKE
	'$(sed -n 's/^seed //p' "$W/oracle2")-%'")" $((N / 2))
is "audit says so too" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
done_testing
