#!/bin/sh
# PostgreSQL fails over to a streaming standby that is synchronous: the flusher waits
# while only the standby is there, goes over to it when it is promoted, and takes nothing
# for loaded that the old server says when it comes back alone. FULL=1: five times.
# A standby that is not synchronous may lack commits: doc/RELIABILITY.md says so.
. "$(dirname "$0")/../integration/lib.sh"
if [ -n "${FULL:-}" ]; then ROUNDS=5; else ROUNDS=1; fi
world
database
as mkdir "$W/run-b"
cat >>"$W/forebay.conf" <<-END
	[flush]
	conninfo = host=$W/run,$W/run-b user=flusher dbname=forebay target_session_attrs=read-write
END

# Two servers, a and b, in turn primary and standby.
data() { if [ "$1" = a ]; then echo "$W/pg"; else echo "$W/pg-b"; fi; }
socket() { if [ "$1" = a ]; then echo "$W/run"; else echo "$W/run-b"; fi; }
start() {
	spawn "pg$1" "$PG_SERVER/postgres" -D "$(data "$1")" -k "$(socket "$1")"
	wait_until 30 as "$PG/pg_isready" -q -h "$(socket "$1")" -U forebay -d postgres || bail "server $1 does not start"
}
crash() { stop "pg$1" QUIT; }
setting() {			# setting SQL, of the server that is asked
	sql "ALTER SYSTEM $1" && sql "SELECT pg_reload_conf()" >/dev/null
}
# stand_by FROM TO: TO becomes FROM's standby, and commits wait for it
stand_by() {
	rm -rf "$(data "$2")"
	setting "RESET synchronous_standby_names"
	as "$PG/pg_basebackup" -h "$(socket "$1")" -U forebay -D "$(data "$2")" -R -X stream -c fast --no-sync || bail "no base backup"
	start "$2"
	setting "SET synchronous_standby_names = '*'"
	wait_until 30 sql_is "SELECT sync_state FROM pg_stat_replication" sync || bail "the standby does not stream"
}
events() { sql "SELECT count(*) FROM forebay.event"; }
grows() { wait_until 60 sql_is "SELECT count(*) > $(events) + 200 FROM forebay.event" t; }
asked() { sql_is "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'flusher'" t; }
says() { tail -n +"$LINE" "$W/log/flush.log" | grep -q "$1"; }

flush_with() { flusher -o flush.batch_age=20ms -o flush.batch_rows=300 -o journal.keep=0 -o journal.keep_min=0 "$@"; }

stop pg INT
start a
collector -o journal.segment_age=2s
nginx
flush_with
first=a second=b round=0
while [ $round -lt $ROUNDS ]; do
	round=$((round + 1))
	stand_by $first $second
	load_start --rate 1000 --seconds 900 --oracle "$W/oracle$round"
	ok "rows arrive by a primary that waits for its standby" grows

	LINE=$(($(wc -l <"$W/log/flush.log") + 1))
	crash $first
	SERVER=$(socket $second)
	ok "the primary is gone, the standby read-only: the flusher waits" wait_until 30 says flush.wait
	wait_until 30 sql_is "SELECT pg_last_wal_replay_lsn() = pg_last_wal_receive_lsn()" t
	before=$(events)
	sleep 1
	is "nothing comes in" "$(events)" "$before"
	ok "it raises no alarm, for this passes" sh -c "! tail -n +$LINE '$W/log/flush.log' | grep flush.alarm"
	# who is not told to look for a primary meets the standby's refusal
	stop flush KILL
	flush_with -o flush.conninfo="host=$SERVER user=flusher dbname=forebay"
	ok "so does one that knows the standby only" wait_until 30 says 'flush.wait.*read-only'
	stop flush KILL
	flush_with
	sql "SELECT pg_promote()" >/dev/null
	ok "the standby is promoted: the flusher goes over by itself" grows

	# the old one comes back, waits for a standby that it has not, and is asked first
	SERVER=$(socket $first)
	start $first
	before=$(events)
	stop flush KILL
	flush_with
	[ $first = b ] || ok "the old server comes back, and is asked" wait_until 30 asked
	sleep 1
	is "it is given no row" "$(events)" "$before"
	crash $first
	SERVER=$(socket $second)
	ok "it goes, and rows arrive at the new one" grows
	kill $LOAD 2>/dev/null
	load_end "no answer but 202"
	ok "everything arrives" wait_drained 60
	stop flush	# it removes segments
	verify "each acknowledged event once" --no-duplicates "$W"/oracle*
	is "nothing was quarantined" "$(sql "SELECT count(*) FROM forebay.quarantine")" 0
	is "audit says so too" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
	flush_with
	old=$first first=$second second=$old
done
done_testing
