#!/bin/sh
# forebay audit: clean when it is; names a hole, a double and an alien that were
# planted, with the journal and without it.
. "$(dirname "$0")/lib.sh"
world; database

audit() { forebay audit "$@" 2>"$W/audit.err"; }
dropped() {			# dropped SQL SQL: between the two audit is not clean
	sql "$1" >/dev/null
	out=$(audit)
	rc=$?
	sql "$2" >/dev/null
}

is "nothing at all is clean" "$(audit | tail -n 1)" "clean: every row is accounted for, once"
as "$TOOLS/journal_fill" "$J" 3000 1000 60 || bail "journal_fill"
bad=$(printf '{"a":"\\u0000"}\n{"n":1}\n{"n":2}\n' | journal_tool plant "$J")
is "pending rows are counted" "$(audit --json | grep total)" \
	'{"total":"total","segments":4,"rows":3003,"loaded":0,"duplicates":0,"quarantined":0,"rejected":0,"pending":3003}'
files() { find "$J" -type f -printf '%P %i %s %T@\n' | sort; }
files >"$W/files"
audit >/dev/null
forebay tail >/dev/null
is "looking touches no file" "$(files | diff "$W/files" -)" ""
rm "$J"/*-shm			# as in a copy
is "files that SQLite makes anew may be missing" "$(forebay query 'select count(*) from event')" 3003
flusher
ok "everything is flushed" wait_drained 30
is "and then clean" "$(audit --json | grep total)" \
	'{"total":"total","segments":4,"rows":3003,"loaded":3002,"duplicates":0,"quarantined":1,"rejected":0,"pending":0}'
ok "with status 0" audit
is "a line for each segment" "$(audit --segments | grep -c ' = ')" 7

# the same events again: all duplicates
first=$(sql "SELECT min(segment::text) FROM forebay.event WHERE segment <> '$bad'")
stop flush
collector -o collect.workers=1
d=$(fcgi 'post:{"id":"d","n":1}' answer 'post:{"id":"d","n":1}' answer 'post:{"id":"e","n":1}' answer |
	grep -o '"receipt":"[^":]*' | head -n 1 | cut -d '"' -f 4)
flusher
ok "duplicates are flushed" wait_drained 30
is "duplicates are no holes" "$(audit --json | grep -c finding)" 0
is "the segment with one" "$(audit --json | grep "\"$d\"" | grep -o '"dupl.*1,')" '"duplicates":1,'

sql "CREATE TABLE kept AS SELECT * FROM forebay.event WHERE segment = '$first' AND seq IN (500, 501, 777)"
dropped "DELETE FROM forebay.event WHERE segment = '$first' AND seq IN (500, 501, 777)" \
	"INSERT INTO forebay.event SELECT * FROM kept"
is "a hole is status 1" $rc 1
like "and named" "$out" "^hole +$first:500-501  node it"
like "the other too" "$out" "^hole +$first:777  node it"
is "and that is all" "$(printf '%s\n' "$out" | tail -n 1)" "2 findings"

sql "CREATE TABLE one AS SELECT * FROM forebay.event WHERE segment = '$first' AND seq = 5;
	UPDATE one SET fingerprint = gen_random_uuid()"
dropped "INSERT INTO forebay.event SELECT * FROM one" \
	"DELETE FROM forebay.event e USING one WHERE e.fingerprint = one.fingerprint"
like "a double is named" "$out" "^double +$first:5  node it"
is "and that is all" "$(printf '%s\n' "$out" | tail -n 1)" "1 findings"

dropped "DELETE FROM forebay.event WHERE segment = '$first' AND seq = 777; INSERT INTO forebay.event SELECT * FROM one" \
	"DELETE FROM forebay.event e USING one WHERE e.fingerprint = one.fingerprint;
	INSERT INTO forebay.event SELECT * FROM kept WHERE seq = 777"
like "a double that makes up for a hole in the count" "$out" "^double +$first:5 "
like "and the hole" "$out" "^hole +$first:777 "

dropped "UPDATE one SET seq = 1001; INSERT INTO forebay.event SELECT * FROM one" \
	"DELETE FROM forebay.event e USING one WHERE e.fingerprint = one.fingerprint"
like "an alien beyond progress" "$out" "^alien +$first:1001  node it  beyond progress"
dropped "UPDATE one SET segment = '01934b1e-5b7f-7000-8000-000000000001'; INSERT INTO forebay.event SELECT * FROM one" \
	"DELETE FROM forebay.event e USING one WHERE e.fingerprint = one.fingerprint"
like "an alien without progress" "$out" "^alien +01934b1e-5b7f-7000-8000-000000000001:1001  node \?  its segment"

part=$(sql "SELECT max(tableoid::regclass::text) FROM forebay.event WHERE segment = '$first'")
index=$(sql "SELECT conname FROM pg_constraint WHERE conrelid = '$part'::regclass AND contype = 'u'")
dropped "CREATE TABLE twin AS SELECT * FROM forebay.event WHERE segment = '$first' AND seq = 9;
	UPDATE twin SET segment = '$bad', seq = 2;
	ALTER TABLE $part DROP CONSTRAINT $index;
	UPDATE forebay.event SET fingerprint = (SELECT fingerprint FROM twin) WHERE segment = '$bad' AND seq = 2" \
	"UPDATE forebay.event SET fingerprint = gen_random_uuid() WHERE segment = '$bad' AND seq = 2;
	ALTER TABLE $part ADD UNIQUE (fingerprint)"
like "a partition without its index" "$out" "^index +(forebay[.])?$part "
like "one fingerprint twice on a day" "$out" "^double +($first:9 $bad:2|$bad:2 $first:9) "

dropped "DELETE FROM forebay.quarantine" "INSERT INTO forebay.quarantine (segment, seq, reason, message, fingerprint)
	VALUES ('$bad', 1, 'refused', '', gen_random_uuid())"
like "a hole where quarantine was" "$out" "^hole +$bad:1 "

# rejections are deleted when they are old
rejected() { echo "INSERT INTO forebay.progress (segment, node, last_seq, rejected) VALUES ('$1', 'it', 1, 1)"; }
undone() { echo "DELETE FROM forebay.progress WHERE segment = '$1'"; }
old=01934b1e-5b7f-7000-8000-000000000002
dropped "$(rejected $old)" "$(undone $old)"
is "a rejection past its retention is no hole" "$(printf '%s\n' "$out" | tail -n 1)" "clean: every row is accounted for, once"
new=$(printf '%012x' "$(now_ms)" | sed 's/^......../&-/')-7000-8000-000000000002
dropped "$(rejected "$new")" "$(undone "$new")"
like "one of today is" "$out" "^hole +$new:1 "

dropped "UPDATE forebay.progress SET loaded = loaded - 1, duplicates = duplicates + 1 WHERE segment = '$first'" \
	"UPDATE forebay.progress SET loaded = loaded + 1, duplicates = duplicates - 1 WHERE segment = '$first'"
like "books that do not fit" "$out" "^books +$first "

# a hole among duplicates: only the journal can tell them apart
dropped "CREATE TABLE e AS SELECT * FROM forebay.event WHERE id = 'e'; DELETE FROM forebay.event WHERE id = 'e'" \
	"SELECT 1"
like "a hole beside a duplicate" "$out" "^hole +$d:3  node it$"
stop flush; stop collect
as rm -f "$J"/*.db "$J"/*.db-* "$J"/*.lock
like "without the journal it is one of two" "$(audit)" "^hole +$d:2-3 .* or a duplicate"
sql "INSERT INTO forebay.event SELECT * FROM e"
is "mended, without the journal" "$(audit | tail -n 1)" "clean: every row is accounted for, once"

sql "DO \$\$ DECLARE p regclass; BEGIN FOR p IN SELECT inhrelid FROM pg_inherits WHERE inhparent =
	'forebay.event'::regclass LOOP EXECUTE format('DROP TABLE %s', p); END LOOP; END \$\$;
	SELECT forebay.make_partition(now()::date + 1)"
like "dropped partitions are no findings" "$(audit)" "segments had rows in partitions that have been dropped"
pg_stop
audit
is "no PostgreSQL is status 69" $? 69
audit --bogus
is "wrong usage is 64" $? 64
done_testing
