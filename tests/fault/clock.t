#!/bin/sh
# The wall clock of collector and flusher jumps under load, by an hour, by a day, forth
# and back, and passes midnight: events are accepted and loaded on, each once, on the day
# that the clock said; what is timed goes by the monotonic clock. PostgreSQL's clock
# stays right. FULL=1: ten times as long between two jumps.
. "$(dirname "$0")/../integration/lib.sh"
if [ -n "${FULL:-}" ]; then LONG=10; else LONG=1; fi
world
database
not_at_midnight $((60 + LONG * 10))
cp "$top_builddir/tests/fault/wall_clock.so" "$W/wall_clock.so" || bail "tests/fault/wall_clock.so is not built"
chmod 0755 "$W/wall_clock.so"
: >"$W/offset"
chmod a+r "$W/offset"
# set_clock SECONDS: in one write, and never an empty file
set_clock() { printf '%-12d\n' "$1" 1<>"$W/offset"; OFF=$1 SINCE=$(now_ms); }
# a sanitizer wants to be first; then the shim comes second
with() {
	local name=$1 program=$2
	shift 2
	spawn "$name" env LD_PRELOAD="$W/wall_clock.so" ASAN_OPTIONS=verify_asan_link_order=0 WALL_CLOCK="$W/offset" \
		"$program" -c "$W/forebay.conf" "$@"
}
set_clock 0
with collect "$BIN/forebayd" -o journal.segment_age=2s
collector_ready || bail "forebayd does not get ready"
nginx
with flush "$BIN/forebay-flusher" -o flush.batch_age=50ms -o journal.keep=2s -o journal.keep_min=2s

# CPU time of collector and flusher, in hundredths of a second
cpu() {
	local pid sum=0 stat
	for pid in $(children "$(pid_of collect)") "$(pid_of collect)" "$(pid_of flush)"; do
		read -r stat <"/proc/$pid/stat"
		# shellcheck disable=SC2086	# fields, word by word
		set -- ${stat##*) }
		sum=$((sum + ${12} + ${13}))
	done
	echo $sum
}
# Rows that this clock has stamped since it was set.
fresh() {
	sql_is "SELECT count(*) > 100 FROM forebay.event WHERE received_at - interval '$OFF s'
		BETWEEN to_timestamp($SINCE / 1000.0) AND now() + interval '1 s'" t
}
segments() { find "$J" -name '*.lock' -size +0 | sort; }
begun() { [ "$(segments | grep -cvxF "$BEFORE")" -ge 4 ]; }

load_start -c 32 --rate 400 --seconds 900 --oracle "$W/oracle"
wait_until 30 fresh || bail "nothing is loaded"
jumps='' hour=3600 day=86400
for off in $hour 0 $day 0 -$hour $((day - hour)) -$day $day 0; do
	before=$(cpu)
	set_clock "$off"
	ok "the clock is $off s off: rows arrive with its time" wait_until 30 fresh
	[ $LONG = 1 ] || sleep $LONG
	jumps="$jumps $(($(cpu) - before))/$((($(now_ms) - SINCE) / 10))"
done
note "CPU time of all processes between jumps, of the time passed, in 1/100 s:$jumps"

# by the clock's own turning, not a jump
set_clock $((day - $(date +%s) % day - 3))
ok "midnight comes: rows arrive before it" wait_until 30 fresh
past() { sql_is "SELECT count(*) > 100 FROM forebay.event WHERE received_at >= date_trunc('day', now()) + interval '1 day'
	AND received_at < date_trunc('day', now()) + interval '1 day 10 s'" t; }
ok "and after it" wait_until 30 past

set_clock -$day
BEFORE=$(segments)
ok "a day back: segments of old age are closed, and new ones begun, twice" wait_until 30 begun
kill $LOAD 2>/dev/null
load_end "no answer but 202"
ok "everything arrives" wait_drained 60
idle() {			# idle SECONDS WHAT: two seconds after the clock was set
	set_clock "$1"
	before=$(cpu)
	sleep 2
	after=$(cpu)
	note "idle, $2: $((after - before))/200"
	ok "$2 nothing turns in circles" test $((after - before)) -lt 50
}
idle $day "after a jump forth"
idle -$day "after a jump back"
old() { [ "$(segments | wc -l)" -le 2 ]; }
ok "segments go when they have been kept long enough" wait_until 30 old
is "no worker was taken for stuck, none died" "$(grep -cE 'worker.(killed|died)' "$W/log/collect.log")" 0
is "no alarm" "$(grep -c flush.alarm "$W/log/flush.log")" 0
is "the rows stand on three days" "$(sql "SELECT count(DISTINCT tableoid), max(received_at)::date - min(received_at)::date
	FROM forebay.event")" "3|2"
verify "each acknowledged event once" --no-duplicates "$W/oracle"
is "audit says so too" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
done_testing
