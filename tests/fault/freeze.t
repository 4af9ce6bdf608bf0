#!/bin/sh
# Each process is frozen for a while under load, and thawed: nothing is lost and nothing
# stands twice, and what is not frozen goes on.
. "$(dirname "$0")/../integration/lib.sh"
world
database
collector -o journal.segment_age=3s
nginx
flusher -o flush.batch_age=50ms -o flush.batch_rows=500

load_start -c 32 --rate 800 --seconds 900 --expect 202,503,504,0 --oracle "$W/oracle"
wait_until 30 sql_is "SELECT count(*) > 100 FROM forebay.event" t
postmaster=$(head -n 1 "$W/pg/postmaster.pid")
backend() { sql "SELECT pid FROM pg_stat_activity WHERE usename = 'flusher' LIMIT 1"; }
# freeze WHAT PID ...
freeze() {
	local what=$1 before
	shift
	[ -n "$1" ] || { fail "$what: not found"; return; }
	kill -STOP "$@"
	sleep 1.2
	kill -CONT "$@"
	before=$(sql "SELECT count(*) + 200 FROM forebay.event")
	ok "$what: frozen, thawed, rows arrive again" wait_until 30 sql_is "SELECT count(*) > $before FROM forebay.event" t
}
# shellcheck disable=SC2046	# pids, word by word
{
	set -- $(children "$(pid_of collect)")
	freeze "a worker" "$1"
	freeze "all workers" "$@"
	freeze "the master" "$(pid_of collect)"
	freeze "the flusher" "$(pid_of flush)"
	freeze "nginx" $(children "$(pid_of nginx)")
	freeze "the flusher's backend" "$(backend)"
	freeze "the postmaster" "$postmaster"
}
# as a container is paused; FULL=1: longer than a worker without a sign of life is let
if [ -n "${FULL:-}" ]; then
	collect=$(pid_of collect)
	turns() { awk '/^voluntary/ { print $2 }' "/proc/$collect/status"; }
	turned() { [ "$(turns)" -ge "$1" ]; }
	kill -STOP "-$collect"
	sleep 65
	before=$(turns)
	kill -CONT "$collect"		# which sees nobody's heart beat
	wait_until 30 turned $((before + 3))
	kill -CONT "-$collect"
	before=$(sql "SELECT count(*) + 200 FROM forebay.event")
	ok "the whole collector: frozen, thawed, rows arrive again" wait_until 60 sql_is "SELECT count(*) > $before FROM forebay.event" t
	is "the whole collector frozen: no worker is killed for it" "$(grep -c worker.killed "$W/log/collect.log")" 0
fi
kill $LOAD 2>/dev/null
load_end "no answer that is not expected"
ok "everything arrives" wait_drained 60
ok "each acknowledged event once, none twice" verify --no-duplicates "$W/oracle"
done_testing
