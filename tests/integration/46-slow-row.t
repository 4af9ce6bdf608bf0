#!/bin/sh
# Rows with which a trigger does not come to an end in the time that a statement has:
# they are set aside, and what stands behind them lands. A server that is slow with
# all of them, or that waits for a lock, is waited for.
. "$(dirname "$0")/lib.sh"
world
database

good() { awk -v a="$1" -v b="$2" 'BEGIN { for (i = a; i <= b; i++) print "{\"n\":" i "}" }'; }
count() { sql "SELECT (SELECT count(*) FROM forebay.event), (SELECT count(*) FROM forebay.quarantine)"; }
logged() { grep -Eq -- "$1" "$W/log/flush.log"; }

# to be cut off is told by the state, so that the test need not wait for it; FULL=1 waits
cut="RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = 'query_canceled'"
[ -z "${FULL:-}" ] || cut="PERFORM pg_sleep(100)"
sql "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
	IF NEW.payload ? 'slow' OR EXISTS (SELECT FROM public.all_slow) THEN $cut; END IF; RETURN NEW; END \$\$;
	CREATE TABLE public.all_slow (); GRANT SELECT ON public.all_slow TO forebay_flusher;
	CREATE TRIGGER slow BEFORE INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION public.slow()"
patience=60
[ -z "${FULL:-}" ] || patience=3000
{
	good 1 50
	echo '{"slow":1}'
	echo '{"slow":2}'
	good 51 100
	echo '{"slow":3}'
} | journal_tool plant "$J" >"$W/segment"
flusher
ok "what stands between rows that run out of time lands" wait_until $patience sql_is "SELECT count(*) FROM forebay.event" 100
is "they are set aside, with reason, state and bytes" "$(sql "SELECT string_agg(seq || ' ' || reason || ' ' || sqlstate || ' '
	|| convert_from(payload, 'UTF8'), ', ' ORDER BY seq) FROM forebay.quarantine")" \
	'51 timeout 57014 {"slow":1}, 52 timeout 57014 {"slow":2}'
like "it is logged" "$(grep flush.quarantine "$W/log/flush.log")" "seq=51 sqlstate=57014: no end within"
ok "the last row is waited for, with nothing behind it" wait_until $patience logged "flush.wait .*last one alone"
is "and is not blamed" "$(count)" "100|2"
good 101 102 | journal_tool plant "$J" >/dev/null
ok "with something behind it it goes, too" wait_until $patience sql_is "SELECT count(*) FROM forebay.event" 102
is "into quarantine" "$(count)" "102|3"
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0

# slow with everything
sql "ALTER TABLE public.all_slow ADD x integer; INSERT INTO public.all_slow VALUES (1)"
good 201 230 | journal_tool plant "$J" >/dev/null
ok "a server that is slow with every row is waited for" wait_until $((patience * 2)) logged "flush.wait .*several"
is "no row is blamed" "$(count)" "102|3"
sql "DELETE FROM public.all_slow"
ok "when it is not any more all land" wait_until $patience sql_is "SELECT count(*) FROM forebay.event" 132
is "every one of them" "$(count)" "132|3"

# cut off by hand, once: nobody's fault
sql "CREATE OR REPLACE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
	IF NEW.payload ? 'held' THEN PERFORM pg_advisory_xact_lock_shared(8, 1); END IF; RETURN NEW; END \$\$"
sql_script <<-END &
	SELECT pg_advisory_lock(8, 1);
	SELECT pg_sleep(60);
END
wait_until 30 sql_is "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 8 AND granted" 1
{ good 301 305; echo '{"held":1}'; good 306 310; } | journal_tool plant "$J" >/dev/null
held() { sql_is "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 8 AND NOT granted" 1; }
ok "a row waits for a lock" wait_until 30 held
sql "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 8 AND NOT granted" >/dev/null
ok "cut off by hand it is tried again" wait_until 30 logged "flush.slow"
sql "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 8 AND granted" >/dev/null
ok "and lands with all others" wait_until 60 sql_is "SELECT count(*) FROM forebay.event" 143
is "none is blamed" "$(count)" "143|3"
done_testing
