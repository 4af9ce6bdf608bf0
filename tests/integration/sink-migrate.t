#!/bin/sh
# forebay db migrate: twice, from many places at once, by an owner who is no superuser;
# a file that was changed after it was applied; exit codes.
. "$(dirname "$0")/lib.sh"
world
cp -r "$SQL" "$W/sql2"
chmod -R a+rX "$W/sql2"

dsn() { echo "host=$W/run user=${2:-forebay} dbname=$1"; }
# go DATABASE [USER [ARGUMENT ...]]: sets OUT and RC
go() {
	local db=$1 user=${2:-forebay}
	shift; [ $# = 0 ] || shift
	RC=0
	OUT=$(forebay db migrate --conninfo "$(dsn "$db" "$user")" "$@" 2>&1) || RC=$?
}

FILES=$(cd "$SQL" && ls ./*.sql | cut -c 3-)
N=$(echo "$FILES" | wc -l)
APPLIED=$(echo "$FILES" | sed 's/^/applied /')

go forebay forebay --dry-run
is "a dry run says what is pending" "$RC $OUT" "0 $(echo "$FILES" | sed 's/^/pending /')"
is "and changes nothing" "$(sql "SELECT to_regclass('forebay.event') IS NULL")" t
go forebay
is "the first run" "$RC $OUT" "0 $APPLIED"
id=$(sql "SELECT id FROM forebay.database")
go forebay
is "the second finds nothing to do" "$RC $OUT" "0 the schema is up to date"
go forebay forebay --json
is "and says so as JSON" "$RC $OUT" "0 {\"dry_run\":false,\"applied\":[],\"present\":$N,\"error\":null}"
is "the database is the same" "$(sql "SELECT id FROM forebay.database")" "$id"
is "the files' checksums are kept" "$(sql "SELECT checksum || '  ' || name FROM forebay.migration ORDER BY number")" \
	"$(cd "$SQL" && sha256sum $FILES)"

# many at once, on a database that has nothing yet
DB=postgres sql "CREATE DATABASE many"
for i in 1 2 3 4 5 6; do
	forebay db migrate --conninfo "$(dsn many)" >"$W/many.$i" 2>&1 &
	eval "m$i=$!"
done
bad=0
for i in 1 2 3 4 5 6; do
	eval "wait \$m$i" || bad=$((bad + 1))
done
is "six at once all end well" $bad 0
is "one of them did it" "$(cat "$W"/many.* | grep -c applied)" "$N"

# a database owner, as on RDS
sql "CREATE ROLE boss LOGIN CREATEROLE"
DB=postgres sql "CREATE DATABASE theirs OWNER boss"
go theirs boss
is "the owner, no superuser" "$RC $OUT" "0 $APPLIED"
go theirs boss
is "again" "$RC $OUT" "0 the schema is up to date"
is "the tables are forebay_owner's" "$(DB=theirs sql "SELECT DISTINCT tableowner FROM pg_tables
	WHERE schemaname = 'forebay'")" forebay_owner
sql "CREATE ROLE somebody LOGIN"
DB=postgres sql "CREATE DATABASE foreign_db"
go foreign_db somebody
like "somebody without rights is told which are missing" "$RC $OUT" '^77 .*CREATEROLE'
is "and leaves nothing" "$(DB=foreign_db sql "SELECT count(*) FROM pg_namespace WHERE nspname = 'forebay'")" 0

# new files, good and bad
export FOREBAY_SQL_DIR="$W/sql2"
printf 'SET LOCAL ROLE forebay_owner;\nCREATE TABLE forebay.extra ();\n' >"$W/sql2/0901-extra.sql"
printf 'SET LOCAL ROLE forebay_owner;\nCREATE TABLE forebay.more ();\nSELECT nonsense;\n' >"$W/sql2/0902-bad.sql"
go theirs boss
like "a broken file is named with its line" "$RC $OUT" '^65 .*0902-bad.sql:3: .*nonsense'
is "what came before it stands, of itself nothing" "$(DB=theirs sql "SELECT to_regclass('forebay.extra') IS NOT NULL,
	to_regclass('forebay.more') IS NULL, max(number) FROM forebay.migration")" "t|t|901"
rm "$W/sql2/0902-bad.sql"
echo '-- a comment' >>"$W/sql2/0001-schema.sql"
go theirs boss
like "a file changed after it was applied" "$RC $OUT" '^65 .*0001-schema.sql was changed'
cp "$W/sql2/0901-extra.sql" "$W/sql2/0901-again.sql"
go theirs boss
like "two files of one number" "$RC $OUT" '^65 .*the same number'
export FOREBAY_SQL_DIR="$W/nowhere"
go theirs boss
like "no files" "$RC $OUT" '^75 .*nowhere'
export FOREBAY_SQL_DIR="$SQL"
go nowhere
like "no such database" "$RC $OUT" '^69 .*does not exist'
RC=0; forebay db migrate --nonsense >/dev/null 2>&1 || RC=$?
is "a wrong flag" $RC 64
RC=0; forebay db >/dev/null 2>&1 || RC=$?
is "no verb" $RC 64
done_testing
