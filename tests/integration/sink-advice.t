#!/bin/sh
# What an alarm says to type is decided by what the catalog says: forebay's own tables
# and rights, or something that the database's owner has added. What it says works.
. "$(dirname "$0")/lib.sh"
world
database

rows() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) print "{\"n\":" i "}" }' | journal_tool plant "$J" >/dev/null; }
LOADED=0 MARK=1 THEN=
mark() { MARK=$(($(wc -l <"$W/log/flush.log") + 1)); }
logged() { tail -n "+$MARK" "$W/log/flush.log" | grep -Eq -- "$1"; }
last() { tail -n "+$MARK" "$W/log/flush.log" | grep flush.alarm | tail -n 1; }
# broken WHAT SQL PATTERN: done to the database, it is an alarm that says so
broken() {
	mark
	sql "$2" >/dev/null
	${THEN:-}
	rows 10
	ok "$1: an alarm" wait_until 30 logged flush.alarm
	like "$1: it says what" "$(last)" "$3"
	is "$1: the gauge says so" "$(forebay stats --json | grep -o '"flush_alarm":[0-9]*')" '"flush_alarm":1'
}
mended() {			# mended WHAT: the rows have landed
	LOADED=$((LOADED + 10))
	ok "$1: then rows land" wait_until 30 sql_is "SELECT count(*) FROM forebay.event" $LOADED
}
follow() {			# follow WHAT: what it says to type works
	local advice
	advice=$(last | sed -n 's/.*type: //p')
	note "$advice"
	ok "$1: what it says to type works" advised "$advice"
}
# undone WHAT SQL
undone() {
	unlike "$1: nothing of forebay's is to be changed" "$(last)" 'GRANT|migrate'
	sql "$2" >/dev/null
	mended "$1"
}

flusher
rows 10
mended "at first"

broken "a role that was taken out" "REVOKE forebay_flusher FROM flusher" 'GRANT forebay_flusher TO "flusher"'
follow "a role that was taken out"
mended "a role that was taken out"
if [ "$(sql "SELECT current_setting('server_version_num')::int < 160000")" = t ]; then
	broken "a role that does not inherit" "ALTER ROLE flusher NOINHERIT" 'does not inherit.*ALTER ROLE "flusher" INHERIT'
else
	broken "a role that does not inherit" "GRANT forebay_flusher TO flusher WITH INHERIT FALSE" 'does not inherit.*WITH INHERIT TRUE'
fi
follow "a role that does not inherit"
mended "a role that does not inherit"
advance="FUNCTION forebay.advance(uuid[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[])"
broken "a right that was revoked" "REVOKE EXECUTE ON $advance FROM forebay_flusher" 'deprived of rights.*EXECUTE ON FUNCTION forebay.advance'
sql "GRANT EXECUTE ON $advance TO forebay_flusher" >/dev/null
mended "a right that was revoked"

broken "a default that needs a right" "CREATE SEQUENCE public.s; ALTER TABLE forebay.event ADD COLUMN n bigint DEFAULT nextval('public.s')" \
	'permission denied for sequence s \(42501\); all that is forebay.s .*column n of event'
undone "a default that needs a right" "ALTER TABLE forebay.event DROP COLUMN n"
broken "a trigger that names a table without its schema" "CREATE TABLE public.shadow (n text);
	CREATE FUNCTION public.shadow() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN INSERT INTO shadow VALUES (NEW.id); RETURN NEW; END';
	CREATE TRIGGER shadow BEFORE INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION public.shadow()" \
	'relation "shadow" does not exist \(42P01\); all that is forebay.s .*trigger shadow on event.*search_path'
undone "a trigger that names a table without its schema" "DROP TRIGGER shadow ON forebay.event"
sql "CREATE TABLE public.ddl_log (what text); CREATE FUNCTION public.audit() RETURNS event_trigger LANGUAGE plpgsql AS
		'BEGIN INSERT INTO public.ddl_log SELECT tg_tag; END'" >/dev/null
# the day's partition has to be made anew, which is DDL
stop flush
sql "DROP TABLE forebay.event_$(date -u +%Y%m%d)"
LOADED=0
THEN=flusher
broken "an audit of DDL" "CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION public.audit()" \
	'permission denied for table ddl_log \(42501\); all that is forebay.s .*event trigger audit'
THEN=
undone "an audit of DDL" "DROP EVENT TRIGGER audit"

broken "row level security" "ALTER TABLE forebay.event ENABLE ROW LEVEL SECURITY" 'row level security is on for event.*BYPASSRLS'
follow "row level security"
mended "row level security"
broken "a column with another name" "ALTER TABLE forebay.event RENAME COLUMN subject TO topic" 'it lacks subject: undo that'
undone "a column with another name" "ALTER TABLE forebay.event RENAME COLUMN topic TO subject"

day=event_$(date -u +%Y%m%d)
broken "a detached partition" "ALTER TABLE forebay.event DETACH PARTITION forebay.$day" 'exists but is not a partition.*55000.*ATTACH PARTITION'
follow "a detached partition"
mended "a detached partition"
# DETACH CONCURRENTLY waits for whoever has the table; cut off there it is pending
sql "BEGIN; SELECT count(*) FROM forebay.event; SELECT pg_sleep(60)" >/dev/null 2>&1 &
wait_until 30 sql_is "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()" 1
printf '%s\n' "SET statement_timeout = '2s';" "ALTER TABLE forebay.event DETACH PARTITION forebay.$day CONCURRENTLY;" |
	sql_script >/dev/null 2>&1
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()" >/dev/null
is "a detachment is pending" "$(sql "SELECT count(*) FROM pg_inherits WHERE inhdetachpending")" 1
broken "a pending detachment" "SELECT 1" 'no partition.*23514.*FINALIZE'
follow "a pending detachment"
ok "a pending detachment: then it is to be attached" wait_until 30 logged 'flush.alarm.*ATTACH PARTITION'
follow "a detachment that was finished"
mended "a pending detachment"

# a trigger that leaves rows out
stop flush
flusher -o flush.quarantine_per_min=3
sql "CREATE FUNCTION public.hush() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'" >/dev/null
broken "a trigger that returns NULL" \
	"CREATE TRIGGER hush BEFORE INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION public.hush()" \
	'kept out by trigger hush on forebay.event'
like "a trigger that returns NULL: quarantine names it" "$(sql "SELECT max(message) FROM forebay.quarantine")" 'trigger hush'
sql "DROP TRIGGER hush ON forebay.event"
LOADED=$((LOADED - $(sql "SELECT count(*) FROM forebay.quarantine")))
mended "a trigger that returns NULL"
done_testing
