#!/bin/sh
# Rows that PostgreSQL refuses, planted past the door, among good ones: each is kept
# in quarantine with its bytes, and all others land.
. "$(dirname "$0")/lib.sh"
world
database

# good FROM TO: payload lines
good() { awk -v a="$1" -v b="$2" 'BEGIN { for (i = a; i <= b; i++) print "{\"n\":" i ",\"type\":\"good\"}" }'; }
quarantined() { sql "SELECT count(*) FROM forebay.quarantine"; }

draw 10000
note "the poison is row $((DRAWN + 1)) of 10,000"
{
	good 1 "$DRAWN"
	printf '{"poison":"\\u0000"}\n'
	good $((DRAWN + 2)) 10000
} >"$W/rows"
segment=$(journal_tool plant "$J" <"$W/rows")
flusher
ok "the segment is flushed" wait_drained 30
is "9,999 land" "$(sql "SELECT count(*), count(DISTINCT payload->>'n') FROM forebay.event")" "9999|9999"
is "one is quarantined, with SQLSTATE" "$(sql "SELECT count(*), min(sqlstate), min(seq) FROM forebay.quarantine")" \
	"1|22P05|$((DRAWN + 1))"
is "and its bytes" "$(sql "SELECT convert_from(payload, 'UTF8') FROM forebay.quarantine")" '{"poison":"\u0000"}'
is "the books say so" "$(sql "SELECT loaded, duplicates, quarantined, rejected, last_seq FROM forebay.progress
	WHERE segment = '$segment'")" "9999|0|1|0|10000"

# Everything that jsonb refuses, between good rows.
nested() { head -c "$1" /dev/zero | tr '\0' "$2"; }
{
	good 1 500
	printf '{"k\\u0000":1}\n'			# 22P05
	printf '{"a":"\\ud83d"}\n{"a":"\\udc00\\ud83d"}\n'	# 22P02
	printf '{"a":"\300\200"}\n{"a":"\355\240\200"}\n{"a":"\364\220\200\200"}\n'	# 22021
	printf '{"a":1e131072}\n{"a":1e-16400}\n'	# 22003
	printf '{"a":%s%s}\n' "$(nested 20000 '[')" "$(nested 20000 ']')"	# 54001
	printf '{"a":NaN}\n\357\273\277{"a":1}\n{"a":"\001"}\n{"a":1} x\nnothing\n'	# 22P02
	good 501 1000
} >"$W/rows"
journal_tool plant "$J" <"$W/rows" >"$W/segment"
ok "a list of poison is flushed" wait_drained 60
is "all good rows land" "$(sql "SELECT count(*) FROM forebay.event WHERE segment = '$(cat "$W/segment")'")" 1000
is "each bad one is quarantined" "$(sql "SELECT string_agg(sqlstate, ' ' ORDER BY seq) FROM forebay.quarantine
	WHERE segment = '$(cat "$W/segment")'")" \
	"22P05 22P02 22P02 22021 22021 22021 22003 22003 54001 22P02 22P02 22P02 22P02 22P02"
i=501 same=0
while [ $i -le 514 ]; do
	seq_hex=$(sql "SELECT encode(payload, 'hex') FROM forebay.quarantine
		WHERE segment = '$(cat "$W/segment")' AND seq = $i")
	[ "$seq_hex" = "$(sed -n "${i}p" "$W/rows" | tr -d '\n' | od -An -v -tx1 | tr -d ' \n')" ] && same=$((same + 1))
	i=$((i + 1))
done
is "byte for byte" $same 14
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0
is "and there is no other row" "$(quarantined)" 15
stop flush

# More than the cap in a minute: then the table has changed, not the events.
good 1 5 | sed 's/.*/{"x":"\\u0000"}/' >"$W/rows"
good 2001 2100 >>"$W/rows"
flusher -o flush.quarantine_per_min=3
journal_tool plant "$J" <"$W/rows" >"$W/segment"
ok "beyond the cap the flusher waits with an alarm" wait_until 60 grep -q quarantine_per_min "$W/log/flush.log"
ok "and quarantines no more than the cap" test "$(quarantined)" -le 18
stop flush
flusher
ok "with room under the cap it goes on by itself" wait_drained 30
is "nothing is lost" "$(quarantined) $(sql "SELECT count(*) FROM forebay.event
	WHERE segment = '$(cat "$W/segment")'")" "20 100"

# Whoever refuses a row may quote it: what is kept about it has names, no values.
sql "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
	IF NEW.payload ? 'bad' THEN RAISE EXCEPTION 'no %', NEW.payload USING CONSTRAINT = NEW.payload->>'bad';
	ELSIF NEW.payload ? 'state' THEN RAISE EXCEPTION '%', NEW.payload USING ERRCODE = '42P02';
	ELSIF NEW.payload ? 'elsewhere' THEN EXECUTE 'SELECT ' || (NEW.payload->>'elsewhere') || '::integer'; END IF;
	RETURN NEW; END \$\$;
	CREATE TRIGGER guard BEFORE INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION guard();
	ALTER TABLE forebay.event ADD COLUMN cast_ integer GENERATED ALWAYS AS ((payload->>'number')::integer) STORED,
	ADD CONSTRAINT mine CHECK (NOT payload ? 'check') NOT VALID"
{
	good 3001 3010
	echo '{"bad":"S3CRET"}'
	echo '{"number":"S3CRET"}'
	echo '{"check":"S3CRET"}'
	echo "{\"elsewhere\":\"'S3CRET'\"}"
	good 3011 3020
} | journal_tool plant "$J" >"$W/segment"
ok "rows that are refused with their values stop nobody" wait_drained 30
is "what is kept are names" "$(sql "SELECT string_agg(sqlstate || ' ' || split_part(message, '_2', 1), '
' ORDER BY seq) FROM forebay.quarantine WHERE segment = '$(cat "$W/segment")'")" "P0001 raise_exception; PostgreSQL's log has its words
22P02 invalid_text_representation; PostgreSQL's log has its words
23514 check_violation, constraint mine, table forebay.event
22P02 invalid_text_representation; PostgreSQL's log has its words"

# A constraint trigger that was deferred speaks at COMMIT, of one row among many.
sql "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
	IF NEW.payload ? 'late' THEN RAISE EXCEPTION 'no %', NEW.payload; ELSIF NEW.payload ? 'long' THEN
		RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = 'query_canceled';
	ELSIF NEW.payload ? 'full' THEN RAISE EXCEPTION 'too many notifications in the NOTIFY queue'
		USING ERRCODE = 'program_limit_exceeded'; END IF; RETURN NULL; END \$\$;
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON forebay.event DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION late()"
{ good 4001 4010; echo '{"late":"S3CRET"}'; good 4011 4020; echo '{"long":1}'; good 4021 4030; } |
	journal_tool plant "$J" >"$W/segment"
ok "a row that COMMIT refuses, or does not come to an end with, stops nobody" wait_drained 60
is "both are in quarantine, all others land" "$(sql "SELECT string_agg(seq || ' ' || reason || ' ' || sqlstate, ', '
	ORDER BY seq), (SELECT count(*) FROM forebay.event WHERE segment = '$(cat "$W/segment")')
	FROM forebay.quarantine WHERE segment = '$(cat "$W/segment")'")" "11 refused P0001, 22 timeout 57014|30"
echo '{"full":1}' | journal_tool plant "$J" >"$W/segment"
ok "a queue that is full at COMMIT is an alarm" wait_until 30 grep -q "flush.alarm .*54000" "$W/log/flush.log"
is "and no row's fault" "$(sql "SELECT count(*) FROM forebay.quarantine WHERE segment = '$(cat "$W/segment")'")" 0
sql "DROP TRIGGER late ON forebay.event"
ok "without it the row lands" wait_drained 30

echo '{"state":"S3CRET"}' | journal_tool plant "$J" >/dev/null
ok "a trigger's words with a state of another class are not told either" wait_until 30 \
	grep -q "flush.alarm .*42P02" "$W/log/flush.log"
sql "DROP TRIGGER guard ON forebay.event;
	CREATE TRIGGER later AFTER INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION guard()"
ok "nor those of a trigger that comes after COPY" wait_until 30 \
	grep -q "flush.alarm .*42P02.*trigger later" "$W/log/flush.log"
is "no value is in the flusher's log" "$(grep -c S3CRET "$W/log/flush.log")" 0
is "it is in PostgreSQL's" "$(grep -q S3CRET "$W/log/pg.log" && echo yes)" yes
done_testing
