#!/bin/sh
# Several connections: batches of different segments are on their way at the same time, of
# one segment one after the other; whatever happens to one of them, and although all were
# sent twice, everything arrives once.
. "$(dirname "$0")/lib.sh"
if [ -n "${FULL:-}" ]; then REQUESTS=2000; else REQUESTS=200; fi
world
database
collector -o journal.segment_bytes=1M
nginx
not_at_midnight 120
stops

accepts() { fcgi 'post:{"id":"over-midnight"}' answer | grep -q 'Status: 202'; }

SEED=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
note "seed $SEED"
many() { load -c 8 --events 100 --form ndjson --requests "$REQUESTS" --seed "$SEED" --oracle "$W/oracle.$1"; }
ok "events" many 1
ok "the same once more, into segments of their own" many 2

at_gate() {	# how many stand at the first one
	sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7 AND objid = 1 AND NOT granted"
}
several() { [ "$(at_gate)" = 3 ]; }
as mkfifo "$W/gate"
(exec $AS "$PG/psql" -Xq -h "$W/run" -U forebay -d forebay -f "$W/gate" >/dev/null) &
exec 9>"$W/gate"
echo 'SELECT pg_advisory_lock(7, 1);' >&9
wait_until 30 sql_is "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7 AND granted" 1
flusher -o flush.connections=3 -o flush.batch_rows=500 -o log.level=debug
ok "three load at the same moment" wait_until 60 several
printf '%s\n' '\q' >&9
exec 9>&-

# one is ended at a time; the others' batches count, and all begin anew
i=0 ended=0
while [ $i -lt 5 ] && ! drained; do
	at 1 "SELECT pg_terminate_backend(min(pid)) FROM pg_stat_activity WHERE usename = 'flusher' AND state = 'active';" &&
		ended=$((ended + 1))
	books_hold || fail "rows and progress disagree"
	i=$((i + 1))
done
ok "connections were ended at work ($ended)" test "$ended" -gt 0
ok "everything arrives" wait_drained 90
verify "once" "$W/oracle.1" "$W/oracle.2"
is "what came twice counts as that" "$(sql "SELECT sum(loaded) || ' ' || sum(duplicates) FROM forebay.progress")" \
	"$((REQUESTS * 100)) $((REQUESTS * 100))"
is "audit says so too" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
is "nobody was quarantined" "$(sql "SELECT count(*) FROM forebay.quarantine")" 0
ok "it stops with nothing left" stop flush

# PostgreSQL has no more than one for it
sql "ALTER ROLE flusher CONNECTION LIMIT 1"
many 3
flusher -o flush.connections=3 -o flush.batch_rows=500
ok "one connection is enough" wait_drained 90
ok "and it says that it is one" grep -q 'flush.lane one connection fewer' "$W/log/flush.log"
since_start() { awk '/flush.start/ { n = 0 } /flush.wait|flush.alarm/ { n++ } END { print n + 0 }' "$W/log/flush.log"; }
is "that is no failure" "$(since_start)" 0
ok "it stops" stop flush

sql "ALTER ROLE flusher CONNECTION LIMIT -1"

# An event just before midnight, and its retry just after it, in two segments: the second
# batch does not go beside the first, for it looks the event up.
stop collect
cp "$top_builddir/tests/fault/wall_clock.so" "$W/wall_clock.so" || bail "tests/fault/wall_clock.so is not built"
chmod 0755 "$W/wall_clock.so"
for off in -30 2; do
	now=$(date +%s)
	printf '%-12d\n' $((now / 86400 * 86400 + off - now)) >"$W/offset"
	chmod a+r "$W/offset"
	spawn collect env LD_PRELOAD="$W/wall_clock.so" ASAN_OPTIONS=verify_asan_link_order=0 WALL_CLOCK="$W/offset" \
		"$BIN/forebayd" -c "$W/forebay.conf" -o collect.workers=1
	wait_until 30 accepts
	stop collect
done
sql "CREATE TABLE beside (n integer)"
AT=30s at 1 "SELECT pg_sleep(1); INSERT INTO beside SELECT count(*) FROM pg_locks
	WHERE locktype = 'advisory' AND classid = 7 AND objid = 1 AND NOT granted" &
looker=$!
wait_until 30 sql_is "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7 AND granted" 1
flusher -o flush.batch_rows=1
wait $looker
is "an event's retry after midnight waits for it" "$(sql "SELECT n FROM beside")" 1
ok "both arrive" wait_drained 20
is "as one" "$(sql "SELECT count(*) FROM forebay.event WHERE id = 'over-midnight'")" 1
ok "it stops" stop flush

# a further connection that hangs is waited for by nobody
lines() { wc -l <"$W/log/flush.log"; }
loaded() { forebay stats --json | sed 's/.*"flush_rows_loaded_total":\([0-9]*\).*/\1/'; }
before=$(lines) loaded=$(loaded)
flusher -o flush.connections=2 -o flush.batch_rows=500 \
	-o flush.conninfo="host=$W/run user=flusher dbname=forebay connect_timeout=60"
connected() { tail -n "+$((before + 1))" "$W/log/flush.log" | grep -q flush.connected; }
ok "a flusher with one connection" wait_until 30 connected
postmaster=$(head -n 1 "$W/pg/postmaster.pid")
kill -STOP "$postmaster"	# who is connected is served, nobody else
for i in 1 2 3; do
	awk -v n=$i 'BEGIN { for (i = 1; i <= 1000; i++) print "{\"lane\":" n ",\"n\":" i "}" }' | journal_tool plant "$J" >/dev/null
done
all() { [ "$(loaded)" = $((loaded + 3000)) ]; }
start=$(now_ms)
ok "loads all rows" wait_until 50 all
ok "without waiting for the second: $(($(now_ms) - start)) ms" test $(($(now_ms) - start)) -lt 50000
kill -CONT "$postmaster"
done_testing
