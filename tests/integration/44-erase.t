#!/bin/sh
# The recipe of SECURITY.md that erases one person's events, as it stands there: nothing
# of them is left in the database or in the flusher's log, with a publication, too.
. "$(dirname "$0")/lib.sh"
world
database

sed -n '/^## Erasing/,/^## /p' "$top_srcdir/SECURITY.md" | awk '/^    / { print substr($0, 5); seen = 1; next } seen { exit }' >"$W/recipe"
like "the document has a recipe" "$(cat "$W/recipe")" 'UPDATE forebay.event SET'

# what the person left: an event, events that are refused for their values in several
# ways, and what was refused at the door
sql "ALTER TABLE forebay.event ADD COLUMN number integer GENERATED ALWAYS AS ((payload->>'number')::integer) STORED,
	ADD CONSTRAINT mine CHECK (NOT payload ? 'check') NOT VALID;
	CREATE FUNCTION public.guard() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
	IF NEW.payload ? 'raise' THEN RAISE EXCEPTION '%', NEW.payload; END IF; RETURN NEW; END \$\$;
	CREATE TRIGGER guard BEFORE INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION public.guard();
	INSERT INTO forebay.rejection (received_at, reason, payload, segment, seq)
	VALUES (now(), 'invalid_json', '{\"user_id\":\"4711\",\"x\":S3CRET', gen_random_uuid(), 1)"
for more in '"a":1' '"number":"S3CRET"' '"check":1' '"raise":1'; do
	echo "{\"user_id\":\"4711\",\"word\":\"S3CRET\",$more}"
done | journal_tool plant "$J" >/dev/null
echo '{"user_id":"4712","word":"kept"}' | journal_tool plant "$J" >/dev/null
flusher
ok "events of the person are in PostgreSQL" wait_drained 30
is "one loaded, three in quarantine" "$(sql "SELECT (SELECT count(*) FROM forebay.event WHERE payload->>'user_id' = '4711'),
	(SELECT count(*) FROM forebay.quarantine)")" "1|3"
sql "CREATE PUBLICATION everything FOR ALL TABLES" 2>/dev/null
# rows in which it stands in any column, as text or as bytes
held() {
	sql "SELECT count(*) FROM (SELECT e::text FROM forebay.event e UNION ALL SELECT q::text FROM forebay.quarantine q
		UNION ALL SELECT r::text FROM forebay.rejection r UNION ALL SELECT p::text FROM forebay.progress p) t(row)
		WHERE row ~ 'S3CRET|4711|533343524554|34373131'"
}
is "before it five rows hold it" "$(held)" 5
ok "the recipe runs, with a publication of all tables" sql_script <"$W/recipe"
is "nothing of the person is in the database" "$(held)" 0
is "nor in the flusher's log" "$(grep -Ec 'S3CRET|4711' "$W/log/flush.log")" 0
is "others stay" "$(sql "SELECT count(*) FROM forebay.event WHERE payload->>'word' = 'kept'")" 1
ok "and audit is content" forebay audit
is "each day says by what its rows are known" "$(sql "SELECT count(*) FROM pg_inherits JOIN pg_class ON oid = inhrelid
	WHERE inhparent = 'forebay.event'::regclass AND relreplident <> 'i'")" 0
done_testing
