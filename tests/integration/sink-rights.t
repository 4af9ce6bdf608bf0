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
allowed "SELECT forebay.expire_rejections('30 days')"
allowed "INSERT INTO forebay.event (received_at, fingerprint, key, payload, segment, seq)
	VALUES (now(), gen_random_uuid(), '', '{\"secret\":1}', gen_random_uuid(), 1)"
allowed "SELECT fingerprint, received_at, segment, seq FROM forebay.event"
seg=01934b1e-0000-7000-8000-000000000001
allowed "SELECT forebay.lock_progress(ARRAY['$seg']::uuid[], ARRAY['$seg']::uuid[], 'x')"
allowed "SELECT forebay.advance(ARRAY['$seg']::uuid[], '{0}', '{10}', '{4}', '{3}', '{2}', '{1}')"
is "progress has moved" "$(flusher_sql "SELECT last_seq, loaded, duplicates, quarantined, rejected, node FROM forebay.progress")" \
	"10|4|3|2|1|x"
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
denied "INSERT INTO forebay.progress (segment, node, last_seq) VALUES (gen_random_uuid(), 'x', 1000)"
denied "UPDATE forebay.progress SET last_seq = last_seq + 1000"
denied "UPDATE forebay.progress SET updated_at = now() - interval '10 years'"
denied "SELECT forebay.recount('$seg')"
denied "UPDATE forebay.retention SET events = '1 microsecond'"
denied "DELETE FROM forebay.retention"
denied "DELETE FROM forebay.rejection"
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

# progress moves from where it stands, over rows that were counted
is "not from elsewhere" "$(flusher_sql "SELECT forebay.advance(ARRAY['$seg']::uuid[], '{9}', '{10}', '{1}', '{0}', '{0}', '{0}')")" 0
is "not of a segment that has none" "$(flusher_sql "SELECT forebay.advance(ARRAY[gen_random_uuid()], '{0}', '{10}', '{10}', '{0}', '{0}', '{0}')")" 0
while read -r what numbers; do
	like "not $(echo "$what" | tr _ ' ')" "$(flusher_sql "SELECT forebay.advance(ARRAY['$seg']::uuid[], $numbers)")" "do not add up"
done <<'END'
over_rows_that_were_not_counted '{10}', '{1010}', '{0}', '{0}', '{0}', '{0}'
back '{10}', '{0}', '{-10}', '{0}', '{0}', '{0}'
nowhere '{10}', '{10}', '{0}', '{0}', '{0}', '{0}'
with_less_than_nothing '{10}', '{11}', '{2}', '{-1}', '{0}', '{0}'
with_nulls '{10}', '{11}', '{NULL}', '{0}', '{0}', '{0}'
with_arrays_of_other_lengths '{10}', '{11,12}', '{1}', '{0}', '{0}', '{0}'
END
is "progress has not moved" "$(flusher_sql "SELECT last_seq, loaded FROM forebay.progress WHERE segment = '$seg'")" "10|4"
like "nor does the owner by a slip of the hand" "$(sql "UPDATE forebay.progress SET last_seq = last_seq + 1000" 2>&1)" progress_adds_up
is "the owner can have it recounted" "$(sql "INSERT INTO forebay.event (received_at, fingerprint, key, payload, segment, seq)
	SELECT now(), gen_random_uuid(), '', '{}', '$seg', n FROM generate_series(2, 5) n;
	SELECT forebay.recount('$seg');
	SELECT last_seq, loaded, duplicates, quarantined, rejected FROM forebay.progress WHERE segment = '$seg'" | xargs)" "5 5|4|1|0|0"

# what may be dropped is the owner's word
yesterday="event_$(date -u -d yesterday +%Y%m%d)"
stands() { is "$1" "$(sql "SELECT to_regclass('forebay.$yesterday') IS NOT NULL")" "$2"; }
flusher_sql "SELECT forebay.make_partitions(ARRAY[current_date - 1], '0')" >/dev/null
like "who has not said so lets no day go" "$(flusher_sql "SELECT forebay.expire('10 years', '1 day')")" "has not said"
like "nor by another time zone" "$(flusher_sql "SET timezone = 'Etc/GMT-12'; SELECT forebay.expire('1 microsecond', '0')")" "has not said"
ok "the owner says 30 days" forebay db migrate --conninfo "host=$W/run user=forebay dbname=forebay" --retention 30d
like "less is refused" "$(flusher_sql "SELECT forebay.expire('1 microsecond', '0')")" "at least 30 days"
like "also by a second" "$(flusher_sql "SELECT forebay.expire('2591999 s', '0')")" "at least 30 days"
like "nor by years of 360 days" "$(flusher_sql "SELECT forebay.expire('-100 years +876000 hours', '0')")" "at least 30 days"
like "and nothing is not longer than that" "$(flusher_sql "SELECT forebay.expire(NULL, '0')")" "longer than nothing"
allowed "SELECT forebay.expire('30 days', '1 day')"
stands "yesterday stands" t
is "rejections of a day stay" "$(flusher_sql "SELECT forebay.expire_rejections('1 microsecond')")" 0
is "by years of 360 days, too" "$(flusher_sql "SELECT forebay.expire_rejections('-100 years +876000 hours')")" 0
is "and those of today stand" "$(sql "SELECT count(*) FROM forebay.rejection")" 1
forebay db migrate --conninfo "host=$W/run user=forebay dbname=forebay" --retention forever >/dev/null 2>&1
is "a retention that is no time is wrong usage" $? 64
like "and who may not say so is told" "$(forebay db migrate --conninfo "host=$W/run user=flusher dbname=forebay" --retention 1s 2>&1)" "permission denied"
ok "the owner takes it back" forebay db migrate --conninfo "host=$W/run user=forebay dbname=forebay" --retention 0
like "then no day goes" "$(flusher_sql "SELECT forebay.expire('10 years', '1 day')")" "has not said"
forebay db migrate --conninfo "host=$W/run user=forebay dbname=forebay" --retention 50d >/dev/null

is "ten years of partitions at the most" "$(flusher_sql "SELECT count(*) FROM forebay.make_partitions(
	ARRAY[current_date - 3700], '1000000 days')")" 0
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
expire_all() { flusher_sql "SELECT forebay.expire('50 days', '1 day') + forebay.expire_rejections('50 days')"; }
while start=$(now_ms) n=$(expire_all) && [ "$n" != 0 ]; do
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
