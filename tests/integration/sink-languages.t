#!/bin/sh
# A server that speaks another language: what it refuses at the login is told by its
# SQLSTATE, so a person's mistakes are alarms, and what passes is a wait.
. "$(dirname "$0")/lib.sh"
world
database
rows() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) print "{\"n\":" i "}" }' | journal_tool plant "$J" >/dev/null; }
MARK=1
mark() { MARK=$(($(wc -l <"$W/log/flush.log") + 1)); }
logged() { tail -n "+$MARK" "$W/log/flush.log" | grep -Eq -- "$1"; }
hba() {				# hba LINE ...
	printf '%s\n' "$@" 'local all all trust' | as tee "$W/pg/pg_hba.conf" >/dev/null
	sql "SELECT pg_reload_conf()" >/dev/null
}
# try LANGUAGE WHAT SQLSTATE KIND [-o ...]: a flusher alone with this mistake
try() {
	local language=$1 what=$2 state=$3 kind=$4
	shift 4
	: >>"$W/log/flush.log"
	mark
	flusher "$@"
	ok "$language: $what is flush.$kind" wait_until 30 logged "flush\\.$kind .*$state"
	kill -KILL "$(pid_of flush)"
	wait_until 30 gone "$(pid_of flush)"
}
alarm() { forebay stats --json | grep -o '"flush_alarm":[0-9]*'; }

sql "ALTER ROLE flusher PASSWORD 'right'; CREATE ROLE nobody_in; CREATE ROLE few LOGIN CONNECTION LIMIT 0 IN ROLE forebay_flusher"
echo wrong | as tee "$W/password" >/dev/null
chmod 0600 "$W/password"
world_of() { echo "flush.conninfo=host=$W/run dbname=${2:-forebay} user=$1"; }

speaks() {			# speaks LANGUAGE: the server does, from here on
	pg_stop
	export LANGUAGE="$1"
	pg_start
	unset LANGUAGE
	[ "$1" = C ] || sql "SELECT 1/0" 2>&1 | grep -qv 'division by zero'
}
for language in C de ja fr; do
	if ! speaks $language; then
		skip "$language: the server's messages are not there"
		continue
	fi
	note "$(sql "SELECT 1/0" 2>&1)"
	hba 'local all flusher scram-sha-256'
	try $language "a wrong password" 28P01 alarm -o flush.password_file="$W/password"
	[ $language = C ] || is "$language: it is counted as one" "$(alarm)" '"flush_alarm":1'
	try $language "no password" "password" alarm
	hba 'local all flusher reject'
	try $language "pg_hba.conf that says no" 28000 alarm
	hba
	try $language "NOLOGIN" 28000 alarm -o "$(world_of nobody_in)"
	try $language "a role that is not there" 28000 alarm -o "$(world_of who)"
	try $language "a database that is not there" 3D000 alarm -o "$(world_of flusher nowhere)"
	try $language "no free connection" 53300 wait -o "$(world_of few)"
done

# what the alarm says about a role that is not there works
mark
flusher -o "$(world_of newcomer)"
wait_until 30 logged 'flush.alarm .*type: '
advice=$(grep flush.alarm "$W/log/flush.log" | tail -n 1 | sed -n 's/.*type: //p')
note "$advice"
like "by a socket it is for postgres" "$advice" '^sudo -u postgres forebay db migrate .* && sudo -u postgres psql '
rows 10
ok "a role that is not there: what it says to type works" advised "$advice"
ok "and the rows land" wait_until 30 sql_is "SELECT count(*) FROM forebay.event" 10
stop flush

# settings that no server sees
try C "an sslmode that is none" sslmode alarm -o "$(world_of flusher) sslmode=foo"
try C "a socket that is not there" "No such file" wait -o "flush.conninfo=host=$W/nowhere user=flusher dbname=forebay"
try C "several hosts, one of which refuses" 3D000 alarm \
	-o "flush.conninfo=host=$W/nowhere,$W/run dbname=nowhere user=flusher"
done_testing
