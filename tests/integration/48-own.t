#!/bin/sh
# What a database's owner may do to forebay.event: the table "Tables of your own" of
# doc/OPERATIONS.md, as far as no other test shows it. Rows are loaded meanwhile, or wait,
# or those that do not fit go to quarantine.
. "$(dirname "$0")/lib.sh"
world
database

version=$(sql "SHOW server_version_num")
note "PostgreSQL $version"
N=0 SET_ASIDE=0
rows() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) print "{\"n\":" i "}" }' | journal_tool plant "$J" >/dev/null; }
land() {			# land WHAT: ten rows do
	rows 10
	N=$((N + 10))
	ok "$1: rows are loaded" wait_until 60 sql_is "SELECT count(*) FROM forebay.event" $N
}
aside() {			# aside WHAT STATE: two rows go to quarantine
	rows 2
	SET_ASIDE=$((SET_ASIDE + 2))
	ok "$1: rows to quarantine" wait_until 60 sql_is "SELECT count(*) FROM forebay.quarantine" $SET_ASIDE
	is "$1: as $2" "$(sql "SELECT DISTINCT sqlstate FROM forebay.quarantine WHERE quarantined_at =
		(SELECT max(quarantined_at) FROM forebay.quarantine)")" "$2"
}
event() { sql "ALTER TABLE forebay.event $1"; }

flusher -o flush.connections=2
land "nothing"
sql "CREATE TABLE public.others PARTITION OF forebay.event DEFAULT"
land "a DEFAULT partition"
sql "DROP TABLE public.others"
sql "VACUUM FULL forebay.event"
land "VACUUM FULL"
event "ADD COLUMN added integer NOT NULL DEFAULT 7"
land "a column with a default"
event "ALTER COLUMN added TYPE bigint"
land "a rewrite"
# identity on a partitioned table is of 17 and later
if [ "$version" -ge 170000 ]; then
	event "ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY"
	land "an identity column"
else
	is "an identity column: before 17 PostgreSQL refuses it for partitions" "$(sql \
		"ALTER TABLE forebay.event ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY" 2>&1 |
		grep -c 'ERROR')" 1
fi
sql "CREATE PUBLICATION everything FOR ALL TABLES" 2>/dev/null	# warns of wal_level
land "a publication of all tables"
sql "ALTER ROLE flusher CONNECTION LIMIT 1; SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE usename = 'flusher'" >/dev/null
land "CONNECTION LIMIT 1"
sql "ALTER ROLE flusher CONNECTION LIMIT -1"

# whoever holds a lock is waited for
sql_script >/dev/null <<-'END' &
	BEGIN;
	LOCK TABLE forebay.event IN SHARE MODE;
	SELECT pg_sleep(2);
	COMMIT;
END
wait_until 30 sql_is "SELECT count(*) FROM pg_locks WHERE relation = 'forebay.event'::regclass AND mode = 'ShareLock'" 1
land "a lock, as of CREATE INDEX"

sql "CREATE FUNCTION public.changes() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN NEW.payload := ''{\"changed\":1}''; RETURN NEW; END';
	CREATE TRIGGER changes BEFORE INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION public.changes()"
land "a trigger that changes the payload"
is "a trigger that changes the payload: so" "$(sql "SELECT count(*) FROM forebay.event WHERE payload ? 'changed'")" 10
sql "DROP TRIGGER changes ON forebay.event"

event "ADD CONSTRAINT mine CHECK (payload ? 'wanted') NOT VALID"
aside "a CHECK that fails" 23514
event "DROP CONSTRAINT mine"
event "ADD COLUMN wanted integer"
sql "UPDATE forebay.event SET wanted = 1"
event "ALTER COLUMN wanted SET NOT NULL"
aside "NOT NULL without a default" 23502
event "DROP COLUMN wanted"

sql "UPDATE forebay.event SET payload = '{}'"
virtual() { sql "SELECT attgenerated FROM pg_attribute WHERE attrelid = 'forebay.event'::regclass AND attname = 'as_number'"; }
if [ "$version" -ge 180000 ]; then
	event "ADD COLUMN as_number integer GENERATED ALWAYS AS ((payload->>'text')::integer)"
	is "a generated column without STORED is virtual" "$(virtual)" v
	echo '{"text":"no number"}' | journal_tool plant "$J" >/dev/null
	N=$((N + 1))
	ok "a virtual column: what does not fit is loaded" wait_until 60 sql_is "SELECT count(*) FROM forebay.event" $N
	is "a virtual column: and fails where it is read" "$(sql "SELECT as_number FROM forebay.event" 2>&1 | grep -c 'ERROR')" 1
	event "DROP COLUMN as_number"
	sql "DELETE FROM forebay.event WHERE payload ? 'text'"
	N=$((N - 1))
fi
event "ADD COLUMN as_number integer GENERATED ALWAYS AS ((payload->>'text')::integer) STORED"
echo '{"text":"no number"}' | journal_tool plant "$J" >/dev/null
SET_ASIDE=$((SET_ASIDE + 1))
ok "a stored generated column: what does not fit goes to quarantine" \
	wait_until 60 sql_is "SELECT count(*) FROM forebay.quarantine" $SET_ASIDE
land "a stored generated column"
is "no alarm was raised" "$(grep -c flush.alarm "$W/log/flush.log")" 0
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0
done_testing
