#!/bin/sh
# What only a person can mend: the flusher waits with an alarm that says what to type,
# loses nothing, and goes on by itself when that has been done.
. "$(dirname "$0")/lib.sh"
world

rows() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) print "{\"n\":" i "}" }' | journal_tool plant "$J" >/dev/null; }
# logged PATTERN: since the last mark
MARK=1
mark() { MARK=$(($(wc -l <"$W/log/flush.log") + 1)); }
logged() { tail -n "+$MARK" "$W/log/flush.log" | grep -Eq -- "$1"; }
alarm() { ok "$1" wait_until 30 logged "flush.alarm.*$2"; }
loaded() { sql_is "SELECT count(*) FROM forebay.event" "$1"; }
# what the last alarm says to type
advice() { grep 'flush.alarm' "$W/log/flush.log" | tail -n 1 | sed -n 's/.*type: //p'; }
follow() {
	local advice
	advice=$(advice)
	note "$advice"
	[ -n "$advice" ] && advised "$advice"
}
recovers() { ok "$1" wait_until 30 loaded "$2"; }

sql "CREATE ROLE flusher LOGIN"
rows 10
flusher
alarm "no schema: an alarm" "schema 0 of forebay"
ok "what it says to type works" follow
alarm "no rights: an alarm" "GRANT forebay_flusher"
ok "what it says to type works" follow
recovers "and the rows land, without a restart" 10
ok "the recovery is logged" wait_until 30 logged flush.recovered
is "the alarm is over" "$(forebay stats --json | grep -o '"flush_alarm":[0-9]*')" '"flush_alarm":0'

# a password that changes
sql "ALTER ROLE flusher PASSWORD 'first'"
echo first >"$W/password"
stop flush
printf 'local all flusher scram-sha-256\nlocal all all trust\n' | as tee "$W/pg/pg_hba.conf" >/dev/null
sql "SELECT pg_reload_conf()" >/dev/null
flusher -o flush.password_file="$W/password"
rows 10
recovers "a password from a file" 20
sql "ALTER ROLE flusher PASSWORD 'second'"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'flusher'" >/dev/null
rows 10
alarm "the password was changed: an alarm" "password authentication failed.*$W/password"
echo second >"$W/password"
recovers "the file is read anew at each connect" 30
is "no password is in the log" "$(grep -cE 'first|second' "$W/log/flush.log")" 0
rm "$W/password"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'flusher'" >/dev/null
alarm "the file is gone: an alarm" "password file .* cannot be read"
stop flush
printf 'local all all trust\n' | as tee "$W/pg/pg_hba.conf" >/dev/null
sql "SELECT pg_reload_conf()" >/dev/null

# another database behind the same name
DB=postgres sql "CREATE DATABASE other"
DB=other migrate >/dev/null
flusher -o flush.conninfo="host=$W/run user=flusher dbname=other"
rows 10
alarm "another database: an alarm" "another database"
is "nothing is loaded there" "$(DB=other sql "SELECT count(*) FROM forebay.event")" 0
stop flush
is "told to stop, it does not wait for a person" "$(grep -c 'flush.stopped' "$W/log/flush.log")" 3
flusher
recovers "in its own it goes on" 40

# a synchronous standby that does not answer: committed, perhaps, but not flushed
sql "ALTER SYSTEM SET synchronous_standby_names = 'away'"
sql "SELECT pg_reload_conf()" >/dev/null
rows 10
ok "COMMIT waits for the standby" wait_until 30 sql_is "SELECT count(*) FROM pg_stat_activity
	WHERE wait_event = 'SyncRep' AND usename = 'flusher'" 1
sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'flusher'" >/dev/null
ok "its warning is no success" wait_until 30 logged "flush.wait .*synchronous replication"
is "nothing is taken for flushed" "$(forebay stats --json | grep -o '"flush_connected":[0-9]*')" '"flush_connected":0'
as sed -i /synchronous_standby_names/d "$W/pg/postgresql.auto.conf"
sql "SELECT pg_reload_conf()" >/dev/null
recovers "with the standby's name gone it goes on" 50

# retention that PostgreSQL does not let through: rows go on, over the same connection
stop flush
sql "INSERT INTO forebay.rejection (received_at, reason, segment, seq) VALUES (now() - interval '300 days', 'x', gen_random_uuid(), 1);
	CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN RAISE EXCEPTION ''cut off'' USING ERRCODE = ''query_canceled''; END';
	CREATE TRIGGER cut BEFORE DELETE ON forebay.rejection FOR EACH ROW EXECUTE FUNCTION cut()"
mark
flusher -o flush.retention=90d
ok "a retention that fails is told" wait_until 30 logged "flush.maintain .*flush.retention: .*forebay.expire_rejections: cut off"
rows 10
recovers "and rows are loaded" 60
is "over the same connection" "$(tail -n "+$MARK" "$W/log/flush.log" | grep -c flush.connected)" 1
[ -z "${FULL:-}" ] || ok "the second time it is an alarm" wait_until 75 logged "flush.alarm .*flush.retention: .*cut off"
sql "DROP TRIGGER cut ON forebay.rejection"
stop flush
flusher -o flush.retention=90d
ok "then it goes through" wait_until 30 sql_is "SELECT count(*) FROM forebay.rejection" 0
ok "that the owner has not said what may be dropped is told" wait_until 30 logged "flush.maintain .*ZF001.*type: .*--retention 90d"
stop flush
ok "what it says to type works" advised "$(grep flush.maintain "$W/log/flush.log" | tail -n 1 | sed -n 's/.*type: //p')"
mark
flusher -o flush.retention=90d
rows 10
recovers "then it is dropped" 70
unlike "and nothing is to be said" "$(tail -n "+$MARK" "$W/log/flush.log")" flush.maintain

# several hosts, a role of the server, a URI, a service file
stop flush
flusher -o flush.conninfo="host=/nowhere,$W/run user=flusher dbname=forebay target_session_attrs=read-write"
rows 10
recovers "the second host of a list" 80
stop flush
flusher -o flush.conninfo="postgresql://flusher@/forebay?host=$W/run"
rows 10
recovers "a URI" 90
stop flush
printf '[here]\nhost=%s\nuser=flusher\ndbname=forebay\n' "$W/run" >"$W/services"
export PGSERVICEFILE="$W/services"
flusher -o flush.conninfo=service=here
rows 10
recovers "a service" 100
unset PGSERVICEFILE

# one flusher for a journal
RC=0
as "$BIN/forebay-flusher" -c "$W/forebay.conf" >"$W/second" 2>&1 || RC=$?
like "a second flusher does not start" "$RC $(cat "$W/second")" "^75 .*another flusher"

# reload: the same process with new settings; bad ones are refused
pid=$(pid_of flush)
echo 'bad line' >>"$W/forebay.conf"
kill -HUP "$pid"
ok "bad settings are refused" wait_until 30 logged "flush.reload.*expected key = value"
sed -i '$d' "$W/forebay.conf"
printf '[journal]\nnode = renamed\n' >>"$W/forebay.conf"
kill -HUP "$pid"
ok "new ones are taken" wait_until 30 logged "flush.start.*node=renamed"
ok "by the same process" alive "$pid"
rows 10
recovers "which goes on" 110
is "under the new name" "$(sql "SELECT count(*) FROM forebay.progress WHERE node = 'renamed'")" 1

# a frozen server, and SIGTERM
backends() { pgrep -P "$(head -n 1 "$W/pg/postmaster.pid")"; }
rows 10
# shellcheck disable=SC2046	# one word for each process
freeze() { kill -STOP "$(head -n 1 "$W/pg/postmaster.pid")" $(backends); }
# shellcheck disable=SC2046
thaw() { kill -CONT "$(head -n 1 "$W/pg/postmaster.pid")" $(backends); }
recovers "ten more" 120
freeze
rows 10
sleep 0.5
mark
kill -HUP "$pid"		# which waits for the batch
kill -TERM "$pid"
wait_until 30 logged "flush.stop .*carrying"
thaw
ok "SIGTERM behind SIGHUP while the server is frozen: it stops" wait_until 30 gone "$pid"
is "with nothing left" "$(sql 'SELECT count(*) FROM forebay.event')" 130
flusher
pid=$(pid_of flush)
rows 10
recovers "the next one loads" 140
freeze
rows 10
sleep 0.5
start=$(now_ms)
mark
kill -TERM "$pid"
ok "SIGTERM is noticed while the server is frozen" wait_until 30 logged "flush.stop .*carrying"
kill -TERM "$pid"
ok "a second one ends it at once" wait_until 30 gone "$pid"
note "$(($(now_ms) - start)) ms"
thaw
mark
flusher
pid=$(pid_of flush)
recovers "nothing was lost or doubled" 150
# the server may have taken the last ten before this flusher has asked
nothing_pending() { logged flush.connected && forebay stats --json | grep -Eq '"flush_pending_rows":0[,}]'; }
ok "the flusher knows it" wait_until 30 nothing_pending
# with all carried, nobody waits for an attempt to connect
theirs=$(sql "SELECT pid FROM pg_stat_activity WHERE usename = 'flusher'")
kill -STOP "$(head -n 1 "$W/pg/postmaster.pid")"
mark
# shellcheck disable=SC2086	# pids, word by word
kill -TERM $theirs
ok "its connections are ended" wait_until 30 logged flush.wait
connecting() { find "/proc/$pid/fd" -lname 'socket:*' | grep -q .; }
wait_until 30 connecting
mark
ok "SIGTERM while a server does not answer: it stops" stop flush TERM 30
ok "in the midst of connecting" sh -c "! tail -n +$MARK '$W/log/flush.log' | grep flush.wait"
like "with nothing left" "$(tail -n 1 "$W/log/flush.log")" 'pending=0$'
thaw
flusher -o flush.stop_timeout=1s
# that may have been the former one's last batch: only now has this one read progress
rows 10
recovers "the new flusher loads" 160
pg_stop
rows 10
start=$(now_ms)
stop flush
ok "without a server it stops when its time is up" test $(($(now_ms) - start)) -lt 15000
like "and says what is left" "$(tail -n 1 "$W/log/flush.log")" "pending=10"
pg_start
flusher
recovers "which the next one loads" 170
stop flush
like "with nothing left it says so" "$(tail -n 1 "$W/log/flush.log")" "pending=0"
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0
done_testing
