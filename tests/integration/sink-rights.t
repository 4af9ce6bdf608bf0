#!/bin/sh
# The flusher's role: what it needs, and nothing else.
. "$(dirname "$0")/lib.sh"
world
database

flusher_sql() { as "$PG/psql" -XqAt -v ON_ERROR_STOP=1 -h "$W/run" -U flusher -d forebay -c "$1" 2>&1; }
line() { printf '%s' "$1" | tr -s '\n\t' '  '; }
denied() { like "denied: $(line "$1")" "$(flusher_sql "$1")" "permission denied|must be owner|must be superuser"; }
allowed() { ok "allowed: $(line "$1")" flusher_sql "$1"; }

allowed "SELECT forebay.make_partitions(ARRAY[current_date], '0')"
allowed "SELECT forebay.make_partitions_ahead(3)"
allowed "SELECT forebay.expire('10 years', '1 day')"
allowed "INSERT INTO forebay.event (received_at, fingerprint, key, payload, segment, seq)
	VALUES (now(), gen_random_uuid(), '', '{\"secret\":1}', gen_random_uuid(), 1)"
allowed "SELECT fingerprint, received_at, segment, seq FROM forebay.event"
allowed "INSERT INTO forebay.progress (segment, node) VALUES (gen_random_uuid(), 'x')"
allowed "UPDATE forebay.progress SET last_seq = 0"
allowed "INSERT INTO forebay.quarantine (segment, seq, reason, message, fingerprint)
	VALUES (gen_random_uuid(), 1, 'x', 'x', gen_random_uuid())"
allowed "INSERT INTO forebay.rejection (received_at, reason, segment, seq) VALUES (now(), 'x', gen_random_uuid(), 1)"
allowed "CREATE TEMPORARY TABLE t ()"

allowed "SELECT forebay.differing(ARRAY[gen_random_uuid()], ARRAY['{}'::jsonb], now() - interval '1 day', now())"

denied "SELECT payload FROM forebay.event"
denied "SELECT context FROM forebay.event"
denied "UPDATE forebay.event SET seq = 2"
denied "DELETE FROM forebay.event"
denied "TRUNCATE forebay.event"
denied "DELETE FROM forebay.progress"
denied "SELECT payload FROM forebay.quarantine"
denied "DELETE FROM forebay.quarantine"
denied "SELECT payload FROM forebay.rejection"
denied "UPDATE forebay.database SET id = gen_random_uuid()"
denied "INSERT INTO forebay.migration VALUES (9, 'x', 'x')"
denied "DROP TABLE forebay.event_$(date -u +%Y%m%d)"
denied "SELECT payload FROM forebay.event_$(date -u +%Y%m%d)"
denied "ALTER TABLE forebay.event ADD x int"
denied "CREATE TABLE forebay.x ()"
denied "SELECT forebay.make_partition(current_date)"
denied "SET ROLE forebay_owner"
denied "CREATE FUNCTION forebay.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"

# functions that run as their owner must not be led astray
is "every SECURITY DEFINER function fixes its search_path" "$(sql "SELECT count(*) FROM pg_proc
	WHERE pronamespace = 'forebay'::regnamespace AND prosecdef
	AND NOT 'search_path=pg_catalog, pg_temp' = ANY (proconfig)")" 0
is "nobody else may call one" "$(sql "SELECT count(*) FROM pg_proc WHERE pronamespace = 'forebay'::regnamespace
	AND has_function_privilege('public', oid, 'EXECUTE')")" 0
like "no partition for a day far off" "$(flusher_sql "SELECT count(*) FROM forebay.make_partitions(
	ARRAY['2200-01-01', '1970-01-01', 'infinity']::date[], '0')")" '^0$'
like "no retention of nothing" "$(flusher_sql "SELECT forebay.expire('0', '0')")" "longer than nothing"
like "nor of less" "$(flusher_sql "SELECT forebay.expire('-1 day', '0')")" "longer than nothing"

# ATTACH does not lock out those who load
flusher_sql "BEGIN; INSERT INTO forebay.event (received_at, fingerprint, key, payload, segment, seq)
	VALUES (now(), gen_random_uuid(), '', '{}', gen_random_uuid(), 2); SELECT pg_sleep(60); COMMIT" >/dev/null &
sleeper=$!
wait_until 30 sql_is "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND usename = 'flusher'" 1
start=$(now_ms)
allowed "SELECT forebay.make_partitions(ARRAY[current_date - 100], '0')"
ok "a partition is made beside a running load" test $(($(now_ms) - start)) -lt 30000
# and an expiry gives up soon rather than making all others wait
start=$(now_ms)
is "a partition in use is not dropped" "$(flusher_sql "SELECT forebay.expire('50 days', '1 day')")" 0
ok "and nobody waits long for that" test $(($(now_ms) - start)) -lt 30000
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND usename = 'flusher'" >/dev/null
wait $sleeper
is "later it is" "$(flusher_sql "SELECT forebay.expire('50 days', '1 day')")" 1

# two at once: one does it, the other has nothing to do
flusher_sql "SELECT forebay.make_partitions(array_agg(current_date - n), '0') FROM generate_series(100, 102) n" >/dev/null
flusher_sql "BEGIN; SELECT forebay.expire('50 days', '1 day'); SELECT pg_sleep(1); COMMIT" >"$W/expired" &
sleeper=$!
wait_until 30 sql_is "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 3 AND granted" 1
is "an expiry beside another is no error" "$(flusher_sql "SELECT forebay.expire('50 days', '1 day')")" 0
wait $sleeper
is "the other did it" "$(head -n 1 "$W/expired")" 3

# a table that is much too old goes in pieces
sql "INSERT INTO forebay.rejection (received_at, reason, segment, seq)
	SELECT now() - interval '300 days', 'x', gen_random_uuid(), n FROM generate_series(1, 100) n;
	INSERT INTO forebay.progress (segment, node, updated_at)
	SELECT gen_random_uuid(), 'x', now() - interval '300 days' FROM generate_series(1, 100);
	CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN OLD; END';
	CREATE TRIGGER slow BEFORE DELETE ON forebay.rejection FOR EACH ROW EXECUTE FUNCTION slow();
	CREATE TRIGGER slow BEFORE DELETE ON forebay.progress FOR EACH ROW EXECUTE FUNCTION slow()"
pieces=0
while start=$(now_ms) n=$(flusher_sql "SELECT forebay.expire('50 days', '1 day')") && [ "$n" != 0 ]; do
	[ $(($(now_ms) - start)) -lt 30000 ] || { fail "a piece of $n rows took $(($(now_ms) - start)) ms"; break; }
	pieces=$((pieces + 1))
done
ok "old rows go in pieces ($pieces)" test $pieces -gt 3
is "all of them" "$(sql "SELECT (SELECT count(*) FROM forebay.rejection WHERE received_at < now() - interval '50 days'),
	(SELECT count(*) FROM forebay.progress WHERE updated_at < now() - interval '50 days')")" "0|0"

# two at once make one partition
for i in 1 2 3 4; do
	flusher_sql "SELECT forebay.make_partitions(array_agg(current_date - n), '0') FROM generate_series(200, 210) n" \
		>"$W/at-once.$i" &
	eval "p$i=$!"
done
bad=0
for i in 1 2 3 4; do
	eval "wait \$p$i" || bad=1
done
is "four at once make the same partitions" "$bad $(cat "$W"/at-once.* | sort -u | wc -l)" "0 11"
done_testing
