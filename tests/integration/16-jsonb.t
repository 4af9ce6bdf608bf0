#!/bin/sh
# PostgreSQL as the judge of our validation (INV-5): what the decoder accepts jsonb takes
# and can dump, and what it refuses as unstorable jsonb refuses too. A limit of our
# own (digits, depth, size) may be stricter.
. "$(dirname "$0")/lib.sh"
world

decode() { "$top_builddir/tests/tools/decode" "$@"; }
# many N TEXT: TEXT N times
many() { yes -- "$2" | head -n "$1" | tr -d '\n'; }

# Bodies at our limits, where a dump is the most that it can be.
mkdir "$W/big"
printf '{"a":[%s1]}' "$(many 174000 '1e308,')" >"$W/big/numbers"
printf '{"a":[%s1]}' "$(many 30000 '-1e-308,')" >"$W/big/fractions"
printf '{"a":[%s1]}' "$(many 30000 '0e-308,')" >"$W/big/zeros"
printf '{"a":[%s1]}' "$(many 24000 '0.1234567890123456789012345678901234567890,')" >"$W/big/digits"
printf '{"a":[%s1]}' "$(many 500000 '0,')" >"$W/big/elements"
printf '{%s"z":1}' "$(seq -f '"k%.0f":1,' 80000 | tr -d '\n')" >"$W/big/keys"
printf '{"%s":"%s"}' "$(many 80000 '\u0001')" "$(many 90000 '\"')" >"$W/big/escapes"
printf '{"a":%s%s}' "$(many 63 '[')" "$(many 63 ']')" >"$W/big/depth"
printf '{"a":"%s"}' "$(many 1048500 x)" >"$W/big/string"
printf '{"%s":"x"}' "$(many 1048500 k)" >"$W/big/key"

decode "$W/cases.copy" cases "$top_srcdir/tests/data/parse.cases" >"$W/cases"
decode "$W/corpus.copy" "$top_srcdir"/tests/fuzz/corpus/decode/* >"$W/corpus"
decode "$W/big.copy" "$W"/big/* >"$W/large"
is "all large bodies are accepted" "$(cut -f 1 "$W/large" | sort | uniq -c | tr -s ' ')" " 10 A"
chmod -R a+rX "$W"

sql "
CREATE TABLE said (set text, verdict text, code text, body bytea, got text);
CREATE TABLE stored (n serial, id text, type text, source text, subject text, payload jsonb);
CREATE FUNCTION takes(b bytea) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
	RETURN jsonb_typeof(convert_from(b, 'UTF8')::jsonb);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END \$\$" >/dev/null
for set in cases corpus large; do
	sed "s/^/$set	/" "$W/$set" | sql "COPY said (set, verdict, code, body) FROM STDIN"
done
sql "UPDATE said SET got = takes(body)"

is "there are events of every verdict" "$(sql "SELECT count(DISTINCT code) FROM said WHERE set = 'cases' AND
	code IN ('-', 'invalid_json', 'not_an_object', 'invalid_utf8', 'nul_character', 'lone_surrogate',
	'number_out_of_range', 'too_deep', 'event_too_large', 'attribute_too_long')")" 10
is "what is accepted jsonb takes as an object" "$(sql "SELECT set, encode(body, 'escape'), got FROM said
	WHERE verdict = 'A' AND got <> 'object'")" ""
is "what is called unstorable or no JSON it refuses" "$(sql "SELECT set, code, encode(body, 'escape') FROM said
	WHERE code IN ('invalid_json', 'invalid_utf8', 'nul_character', 'lone_surrogate', 'empty_body')
	AND length(got) <> 5")" ""
is "for the reason that we say" "$(sql "SELECT code, got, encode(body, 'escape') FROM said WHERE set = 'cases' AND
	CASE code WHEN 'nul_character' THEN got <> '22P05' WHEN 'lone_surrogate' THEN got <> '22P02'
	WHEN 'invalid_utf8' THEN got <> '22021' ELSE false END")" ""
is "what is no object is something else" "$(sql "SELECT set, encode(body, 'escape'), got FROM said
	WHERE code = 'not_an_object' AND got = 'object'")" ""
note "stricter than jsonb: $(sql "SELECT string_agg(DISTINCT code, ' ') FROM said WHERE verdict = 'R' AND got = 'object'")"
is "which only limits are" "$(sql "SELECT DISTINCT code FROM said WHERE verdict = 'R' AND got = 'object' AND
	code NOT IN ('number_out_of_range', 'too_deep', 'event_too_large', 'attribute_too_long', 'too_many_events')")" ""

load_copy() { sql "COPY stored (id, type, source, subject, payload) FROM STDIN BINARY" <"$W/$1.copy"; }
dump() { sql "COPY stored TO STDOUT (FORMAT $1)" >"$W/dump.$1"; }
reload() { sql "COPY again FROM STDIN (FORMAT $1)" <"$W/dump.$1"; }

for set in cases corpus big; do
	ok "COPY BINARY takes all of $set" load_copy $set
done
is "all of it" "$(sql "SELECT count(*) FROM stored")" "$(cat "$W/cases" "$W/corpus" "$W/large" | grep -c '^A')"
sql "CREATE TABLE again (LIKE stored)"
for how in text binary; do
	ok "it can be dumped as $how" dump $how
	ok "and loaded again" reload $how
	is "and is the same" "$(sql "SELECT count(*) FROM stored s JOIN again a USING (n)
		WHERE s.* IS NOT DISTINCT FROM a.*; TRUNCATE again")" "$(sql "SELECT count(*) FROM stored")"
done
note "dumped: $(ls -l "$W/dump.text" | awk '{ print $5 }') bytes of $(cat "$W"/*.copy | wc -c)"
done_testing
