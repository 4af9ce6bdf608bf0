#!/bin/sh
# forebay db migrate: twice, from many places at once, by owners who are no superusers,
# through a pool; a file that was changed after it was applied; where it must not go.
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

# a database owner, as on RDS, in a server where somebody else has made forebay's roles:
# from 16 on CREATEROLE alone may not grant these
version() { sql "SELECT current_setting('server_version_num')::integer / 10000"; }
typed() { printf '%s\n' "$1" | sed 's/.*\(sudo -u postgres .*\)/\1/'; }
tables() { DB=$1 sql "SELECT count(*) FROM pg_namespace WHERE nspname = 'forebay'"; }
sql "CREATE ROLE boss LOGIN CREATEROLE"
sql "CREATE ROLE app LOGIN"
DB=postgres sql "CREATE DATABASE theirs OWNER boss"
if [ "$(version)" -ge 16 ]; then
	go theirs boss
	like "a second owner is told which grants are missing" "$RC $OUT" \
		'^77 .*sudo -u postgres psql .*GRANT forebay_owner TO "boss" .*GRANT forebay_flusher TO "boss" WITH ADMIN OPTION'
	is "before anything is done" "$(tables theirs)" 0
	go theirs boss --dry-run
	like "a dry run says so, too" "$RC $OUT" '^77 .*GRANT forebay_owner'
	go theirs boss
	ok "what it says to type can be typed" advised "$(typed "$OUT")"
fi
go theirs boss
is "the owner, no superuser" "$RC $OUT" "0 $APPLIED"
go theirs boss
is "again" "$RC $OUT" "0 the schema is up to date"
is "the tables are forebay_owner's" "$(DB=theirs sql "SELECT DISTINCT tableowner FROM pg_tables
	WHERE schemaname = 'forebay'")" forebay_owner
ok "the owner can make a flusher's role" as "$PG/psql" -XqAt -v ON_ERROR_STOP=1 -d "$(dsn theirs boss)" \
	-c "GRANT forebay_flusher TO app"

# the same in a server that has no such roles yet: one owner, two databases
rename() { sql "ALTER ROLE $1_owner RENAME TO $2_owner; ALTER ROLE $1_flusher RENAME TO $2_flusher"; }
rename forebay other
for db in first second; do
	DB=postgres sql "CREATE DATABASE $db OWNER boss"
	go $db boss
	is "the owner makes the roles: database $db" "$RC $OUT" "0 $APPLIED"
done
rename forebay their
rename other forebay

sql "CREATE ROLE somebody LOGIN"
DB=postgres sql "CREATE DATABASE foreign_db"
go foreign_db somebody
like "somebody without rights is told which are missing" "$RC $OUT" '^77 .*CREATEROLE'
is "and leaves nothing" "$(tables foreign_db)" 0
if [ "$(version)" -ge 16 ]; then
	sql "CREATE ROLE halfway LOGIN CREATEROLE; GRANT forebay_owner TO halfway WITH SET FALSE"
	DB=postgres sql "CREATE DATABASE half OWNER halfway"
	go half halfway
	like "a member who may not SET ROLE" "$RC $OUT" '^77 .*GRANT forebay_owner TO "halfway"'
	ok "the grant is renewed as it says" advised "$(typed "$OUT")"
	go half halfway
	is "a member who may now" "$RC $OUT" "0 $APPLIED"
fi

go theirs somebody
like "somebody who may not read the schema is told how to" "$RC $OUT" '^77 .*GRANT forebay_owner TO "somebody"'

# where it must not go: said before anything is done, and what to type
nothing() {			# nothing WHAT DATABASE PATTERN
	go "$2" forebay --dry-run
	like "$1: a dry run says no" "$RC $OUT" "^77 .*$3"
	go "$2"
	like "$1: no" "$RC $OUT" "^77 .*$3"
	is "$1: nothing is there" "$(tables "$2")" "${4:-0}"
}
DB=postgres sql "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'"
DB=postgres sql "CREATE DATABASE anything ENCODING SQL_ASCII TEMPLATE template0 LOCALE 'C'"
nothing "LATIN1" latin 'LATIN1.*sudo -u postgres createdb .*-E UTF8'
ok "LATIN1: what it says makes one that will do" advised "$(typed "$OUT" | sed 's/NAME$/utf8/')"
go utf8
is "LATIN1: which it does" "$RC $OUT" "0 $APPLIED"
nothing "SQL_ASCII" anything 'SQL_ASCII'
nothing "a template" template1 'template'
DB=postgres sql "CREATE DATABASE readonly"
DB=postgres sql "ALTER DATABASE readonly SET default_transaction_read_only = on"
nothing "a database that takes no changes" readonly 'default_transaction_read_only'
DB=postgres sql "CREATE DATABASE stranger"
DB=stranger sql "CREATE SCHEMA forebay"
nothing "a schema of that name" stranger 'none of ours.*ALTER SCHEMA forebay RENAME' 1
ok "a schema of that name: can be renamed as it says" advised "$(typed "$OUT")"
go stranger
is "a schema of that name: then it goes" "$RC $OUT" "0 $APPLIED"

# who does not get in
go forebay nobody_there
like "no such role" "$RC $OUT" '^77 .*sudo -u postgres forebay db migrate --conninfo'
sed -i '1i local forebay nobody_there peer' "$W/pg/pg_hba.conf"
sql "CREATE ROLE nobody_there LOGIN" >/dev/null
sql "SELECT pg_reload_conf()" >/dev/null
peer() { go forebay nobody_there; printf '%s\n' "$RC $OUT" | grep -q '[Pp]eer.*sudo -u postgres forebay db migrate --conninfo'; }
ok "peer authentication says no" wait_until 30 peer
sed -i '1s/.*/local forebay nobody_there scram-sha-256/' "$W/pg/pg_hba.conf"
sql "SELECT pg_reload_conf()" >/dev/null
password() { go forebay nobody_there; printf '%s\n' "$RC $OUT" | grep -q '^77 .*PGPASSWORD'; }
ok "no password" wait_until 30 password

# through a pool: nothing of the session is left to whoever gets it next
pool() {			# pool MODE
	cat >"$W/pool.ini" <<-END
		[databases]
		forebay = host=$W/run user=forebay dbname=pooled
		[pgbouncer]
		unix_socket_dir = $W/run
		listen_addr =
		listen_port = 6432
		auth_type = any
		pool_mode = $1
		default_pool_size = 1
	END
	spawn pool "$PGBOUNCER" "$W/pool.ini"
	wait_until 30 as "$PG/pg_isready" -q -h "$W/run" -p 6432 || bail "PgBouncer does not start"
}
through() { as "$PG/psql" -XqAt -h "$W/run" -p 6432 -U forebay -d forebay -c "$1"; }
session() {
	through "SELECT pg_backend_pid(), current_user, array_agg(name || '=' || setting ORDER BY name)
		FROM pg_settings WHERE name IN ('search_path', 'lock_timeout', 'client_min_messages',
		'transaction_read_only', 'statement_timeout')"
}
PGBOUNCER=$(PATH=$PATH:/usr/sbin command -v pgbouncer)
if [ -n "$PGBOUNCER" ]; then
	DB=postgres sql "CREATE DATABASE pooled"
	pool statement
	RC=0; OUT=$(forebay db migrate --conninfo "host=$W/run port=6432 user=forebay dbname=forebay" 2>&1) || RC=$?
	like "a pool in statement mode: no" "$RC $OUT" '^77 .*statement mode.*transaction or session mode'
	stop pool
	pool transaction
	before=$(session)
	RC=0; OUT=$(forebay db migrate --conninfo "host=$W/run port=6432 user=forebay dbname=forebay" 2>&1) || RC=$?
	is "a pool in transaction mode" "$RC $OUT" "0 $APPLIED"
	is "a pool in transaction mode: the session is as it was" "$(session)" "$before"
	is "a pool in transaction mode: no lock is left" "$(sql "SELECT count(*) FROM pg_locks
		WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = 'pooled')")" 0
	go pooled
	is "a pool in transaction mode: then without it" "$RC $OUT" "0 the schema is up to date"
	stop pool
else
	skip "no pgbouncer: through a pool"
fi

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
like "no such database" "$RC $OUT" '^69 .*does not exist.*sudo -u postgres createdb'
ok "no such database: it is made as it says" advised "$(typed "$OUT")"
go nowhere
is "no such database: then it goes" "$RC $OUT" "0 $APPLIED"
RC=0; forebay db migrate --nonsense >/dev/null 2>&1 || RC=$?
is "a wrong flag" $RC 64
RC=0; forebay db >/dev/null 2>&1 || RC=$?
is "no verb" $RC 64

# a standby
pg_stop
as cp -a "$W/pg" "$W/pg2"
as rm -f "$W/pg2/postmaster.pid"
as touch "$W/pg2/standby.signal"
as mkdir "$W/run2"
spawn pg2 "$PG_SERVER/postgres" -D "$W/pg2" -k "$W/run2"
wait_until 60 as "$PG/pg_isready" -q -h "$W/run2" -U forebay -d postgres || bail "the standby does not start"
RC=0; OUT=$(forebay db migrate --conninfo "host=$W/run2 user=forebay dbname=forebay" 2>&1) || RC=$?
like "a standby" "$RC $OUT" '^77 .*standby.*target_session_attrs'
done_testing
