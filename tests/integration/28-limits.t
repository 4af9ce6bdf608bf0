#!/bin/sh
# What a DBA sets, and who else is in the database: time-outs of idle sessions and of
# transactions, default_transaction_read_only, triggers that warn, listeners that do not
# listen. Rows land, or wait with an alarm that says why; nobody is told of a failure
# that was none.
. "$(dirname "$0")/lib.sh"
world
database

rows() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) print "{\"n\":" i "}" }' | journal_tool plant "$J" >/dev/null; }
MARK=1
mark() { MARK=$(($(wc -l <"$W/log/flush.log") + 1)); }
logged() { tail -n "+$MARK" "$W/log/flush.log" | grep -Eq -- "$1"; }
often() { tail -n "+$MARK" "$W/log/flush.log" | grep -Ec -- "$1"; }
loaded() { sql_is "SELECT count(*) FROM forebay.event" "$1"; }
arrive() { ok "$1" wait_until 30 loaded "$2"; }
stat() { forebay stats --json | grep -o "\"$1\":[0-9]*"; }
stat_is() { [ "$(stat "$1")" = "\"$1\":$2" ]; }
setting() { sql "ALTER SYSTEM $1" && sql "SELECT pg_reload_conf()" >/dev/null; }
version() { sql "SHOW server_version_num"; }

# a DBA that lets nobody make temporary tables
sql "REVOKE TEMPORARY ON DATABASE forebay FROM PUBLIC, forebay_flusher"

# Idle sessions are ended after a second: that is no failure.
sql "ALTER ROLE flusher SET idle_session_timeout = '1s'"
flusher -o log.level=debug
rows 10
arrive "rows" 10
asleep() { sql_is "SELECT count(*) FROM pg_stat_activity WHERE usename = 'flusher'" 0; }
for n in 20 30; do
	ok "the session is ended for lying idle" wait_until 30 asleep
	ok "nobody makes another one for nothing" wait_until 30 logged flush.asleep
	is "PostgreSQL counts as up" "$(stat flush_connected)" '"flush_connected":1'
	mark
	rows 10
	arrive "rows come: it connects" $n
done
is "and nothing is said of it" "$(grep -Ec 'flush.(wait|alarm|recovered)' "$W/log/flush.log")" 0
ok "while it sleeps it stops" wait_until 30 asleep
ok "at once" stop flush TERM 20
like "with nothing left" "$(tail -n 1 "$W/log/flush.log")" 'pending=0$'
sql "ALTER ROLE flusher RESET idle_session_timeout"

# The role's limits would cut off everything.
sql "ALTER ROLE flusher SET statement_timeout = '1ms'; ALTER ROLE flusher SET lock_timeout = '1ms';
	ALTER ROLE flusher SET client_min_messages = error; ALTER ROLE flusher SET synchronous_commit = off"
[ "$(version)" -lt 170000 ] || sql "ALTER ROLE flusher SET transaction_timeout = '1ms'"
sql "CREATE TABLE public.commits (mode text);
	CREATE FUNCTION public.note_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
		\$\$ BEGIN INSERT INTO public.commits VALUES (current_setting('synchronous_commit')); RETURN NULL; END \$\$;
	CREATE TRIGGER note_commit AFTER INSERT ON forebay.event FOR EACH STATEMENT EXECUTE FUNCTION public.note_commit()"
flusher
rows 10
arrive "limits of a millisecond: rows are loaded" 40
is "by commits that last" "$(sql "SELECT DISTINCT mode FROM public.commits")" on
sql "DROP TRIGGER note_commit ON forebay.event"
stop flush
sql "ALTER ROLE flusher RESET ALL"

# A provider protects a volume that is nearly full.
mark
flusher
rows 10
arrive "rows" 50
setting "SET default_transaction_read_only = on"
rows 10
ok "default_transaction_read_only: an alarm says what it is" wait_until 30 logged "flush.alarm .*default_transaction_read_only"
is "nothing is written" "$(sql "SELECT count(*) FROM forebay.event")" 50
ok "the alarm stands" stat_is flush_alarm 1
is "nobody says that it has recovered" "$(often flush.recovered)" 0
as sed -i /default_transaction_read_only/d "$W/pg/postgresql.auto.conf"
sql "SELECT pg_reload_conf()" >/dev/null
arrive "turned off: rows are loaded" 60
ok "it says so" wait_until 30 logged flush.recovered
ok "the alarm is over" wait_until 30 stat_is flush_alarm 0

# A refusal that lasts: connecting works each time, and still nothing was taken.
mark
sql "ALTER TABLE forebay.progress RENAME COLUMN loaded TO l"
rows 10
ok "a column is gone: an alarm" wait_until 30 logged flush.alarm
again() { [ "$(often flush.connected)" -ge 3 ]; }
ok "it connects again and again" wait_until 60 again
is "and nobody says that it has recovered" "$(often flush.recovered)" 0
sql "ALTER TABLE forebay.progress RENAME COLUMN l TO loaded"
arrive "the column is back: rows are loaded" 70
ok "then it is said" wait_until 30 logged flush.recovered
is "once" "$(often flush.recovered)" 1

# A trigger of somebody's that warns at COMMIT is no reason to doubt the commit.
mark
sql "CREATE FUNCTION warns() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN RAISE WARNING ''might not have been replicated''; RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER warns AFTER INSERT OR UPDATE ON forebay.progress
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warns()"
for n in 80 90 100; do
	rows 10
	arrive "a trigger warns at COMMIT: rows are loaded" $n
done
is "nothing counts as failed" "$(often 'flush.(wait|alarm)')" 0
is "over one connection" "$(often flush.connected)" 0
sql "DROP TRIGGER warns ON forebay.progress"
# what is a reason is told whatever the role wants to hear: sink-recover.t cuts a wait off
stop flush

# Notifications are a courtesy.
mark
flusher -o flush.notify=news
# shellcheck disable=SC2016
(printf 'LISTEN news;\n'; sleep 3; printf 'SELECT 1;\n') | as "$PG/psql" -Xqt -h "$W/run" -U forebay -d forebay >"$W/heard" 2>&1 &
listener=$!
wait_until 30 sql_is "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'" 1
rows 10
arrive "rows" 110
wait $listener
like "who listens hears of them" "$(cat "$W/heard")" 'notification "news" .*\{"loaded":10\}'
sql "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) FROM PUBLIC"
for n in 120 130 140; do
	rows 10
	arrive "no notification can be sent: rows are loaded" $n
done
dropped() { [ "$(stat flush_notify_dropped_total)" = "\"flush_notify_dropped_total\":$1" ]; }
ok "those that were dropped are counted" wait_until 30 dropped 3
is "it is said once" "$(often 'flush.notify')" 1
is "and nothing counts as failed" "$(often 'flush.(wait|alarm)')" 0
sql "GRANT EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) TO PUBLIC"
rows 10
arrive "they can be sent again" 150
ok "no other one was dropped" dropped 3
if [ "$(version)" -ge 170000 ]; then
	stop flush
	echo 'max_notify_queue_pages = 64' | as tee -a "$W/pg/postgresql.conf" >/dev/null
	pg_stop && pg_start
	as mkfifo "$W/deaf"
	(exec $AS "$PG/psql" -Xq -h "$W/run" -U forebay -d forebay -f "$W/deaf" >/dev/null) &
	exec 8>"$W/deaf"
	echo 'LISTEN news; BEGIN; SELECT 1;' >&8
	wait_until 30 sql_is "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'" 1
	i=0
	while [ $i -lt 200 ] && sql "SELECT pg_notify('news', repeat('x', 7000))" >/dev/null 2>&1; do i=$((i + 1)); done
	ok "the queue is full ($i)" test $i -lt 200
	mark
	flusher -o flush.notify=news
	rows 10
	arrive "the queue is full: rows are loaded" 160
	ok "it is said" wait_until 30 logged flush.notify
	is "as no failure" "$(often 'flush.(wait|alarm)')" 0
	printf '%s\n' '\q' >&8
	exec 8>&-
	again() { rows 1; sleep 0.3; sql "SELECT pg_notify('news', 'x')" >/dev/null; }
	ok "the listener has gone: notifications go through again" wait_until 60 again
else
	skip "a full queue: PostgreSQL $(version) has room for 8 GB"
fi
ok "it stops" stop flush
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0
done_testing
