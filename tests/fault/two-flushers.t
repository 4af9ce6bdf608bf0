#!/bin/sh
# A journal that was copied (a cloned volume) is flushed by two at a time, and PostgreSQL
# is replaced by an empty one, and by an older state of itself.
. "$(dirname "$0")/../integration/lib.sh"
world
PATH=$BIN:$PG:$PATH
database
not_at_midnight 120
ROWS=3000
i=0
while [ $i -lt 10 ]; do		# ten segments, so that batches of both lie apart
	awk -v n=$((i * 300)) 'BEGIN { for (i = 1; i <= 300; i++) print "{\"n\":" n + i "}" }' | journal_tool plant "$J" >/dev/null
	i=$((i + 1))
done
as cp -a "$J" "$W/copy"
as mkdir "$W/run2"
second() { spawn flush2 "$BIN/forebay-flusher" -c "$W/forebay.conf" -o journal.dir="$W/copy" -o run.dir="$W/run2" "$@"; }
rows() { sql "SELECT count(*), count(DISTINCT payload->>'n') FROM forebay.event"; }
# both wait for one table, and go at the same moment
sql_script >/dev/null <<SQL &
BEGIN;
LOCK TABLE forebay.progress;
DO \$\$ BEGIN
	FOR i IN 1..800 LOOP
		EXIT WHEN (SELECT count(*) FROM pg_locks WHERE relation = 'forebay.progress'::regclass AND NOT granted) >= 2;
		PERFORM pg_sleep(0.01);
	END LOOP;
END \$\$;
COMMIT;
SQL
wait_until 30 sql_is "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'forebay.progress'::regclass AND granted
	AND mode = 'AccessExclusiveLock'" t
flusher -o flush.batch_rows=50 -o log.level=debug
second -o flush.batch_rows=50 -o log.level=debug
ok "both flush it" wait_drained 30
is "each row stands once" "$(rows)" "$ROWS|$ROWS"
is "and is counted once" "$(sql "SELECT sum(loaded), sum(duplicates) FROM forebay.progress")" "$ROWS|0"
stop flush
stop flush2
like "one waits for the other: no attempt of either fails" "$(cat "$W/log/flush.log" "$W/log/flush2.log" | grep -c flush.wait)" '^0$'
like "both have worked" "$(grep -c 'flush.batch rows' "$W/log/flush2.log")" '^[1-9]'

# an older state of the database
as "$PG/pg_dump" -h "$W/run" -U forebay -Fc -f "$W/older" forebay
awk 'BEGIN { for (i = 1; i <= 500; i++) print "{\"n\":" 100000 + i "}" }' | journal_tool plant "$J" >/dev/null
flusher
ok "500 more are flushed" wait_drained 20
stop flush
DB=postgres sql "DROP DATABASE forebay"
DB=postgres sql "CREATE DATABASE forebay"
ok "the older state comes back" as "$PG/pg_restore" -h "$W/run" -U forebay -d forebay "$W/older"
is "without them" "$(rows)" "$ROWS|$ROWS"
flusher
ok "what it lacks is sent again from the segments that were kept" wait_until 60 sql_is \
	"SELECT count(*) FROM forebay.event" $((ROWS + 500))
is "nothing twice" "$(rows)" "$((ROWS + 500))|$((ROWS + 500))"
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0
stop flush

# an empty database in its place
DB=postgres sql "DROP DATABASE forebay"
DB=postgres sql "CREATE DATABASE forebay"
flusher
alarm() { grep flush.alarm "$W/log/flush.log" | tail -n 1 | grep -q "$1"; }
ok "an empty database: an alarm that says what to type" wait_until 30 alarm 'type: sudo -u postgres forebay db migrate'
stop flush
migrate >>"$W/log/migrate.log" 2>&1
flusher
ok "with a schema it is another database: an alarm" wait_until 30 alarm 'another database'
is "nothing is loaded unasked" "$(rows)" "0|0"
advice=$(grep flush.alarm "$W/log/flush.log" | tail -n 1 | sed -n 's/.*type: //p')
ok "what it says to type works: $advice" advised "$advice"
ok "then everything that was kept is loaded again" wait_until 60 sql_is "SELECT count(*) FROM forebay.event" $((ROWS + 500))
stop flush
done_testing
