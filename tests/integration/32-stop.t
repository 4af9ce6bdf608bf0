#!/bin/sh
# Restart and reload of the collector under load fail no request, as long as the
# socket outlives it (socket activation) and nginx lets go of idle connections soon: it is
# nginx that closes them, never a worker (INV-3).
. "$(dirname "$0")/lib.sh"
world
database
supervise collect "$TOOLS/activate" "$W/run/forebay.sock" "$BIN/forebayd" -c "$W/forebay.conf" -o collect.stop_timeout=8s
collector_ready || bail "forebayd does not get ready"
nginx 'keepalive_timeout 500ms;' 'keepalive_time 1s;'
flusher

# shellcheck disable=SC2046	# pids, word by word
master() { set -- $(children "$(pid_of collect)"); echo "$1"; }
another_master() { [ -n "$(master)" ] && [ "$(master)" != "$1" ]; }
acked() { grep -c ^A "$W/oracle"; }
acked_more() { [ "$(acked)" -gt "$1" ]; }

load_start --rate 2000 --seconds 900 --oracle "$W/oracle"
wait_until 30 acked_more 500

old=$(master)
workers=$(children "$old")
kill -HUP "$old"
gone_all() { for p in $workers; do gone "$p" || return 1; done; }
ok "SIGHUP: all workers are replaced" wait_until 30 gone_all
is "by the same master" "$(master)" "$old"
# one that has ended is a child until the master has seen it
as_many() { [ "$(children "$old" | wc -w)" = "$(echo "$workers" | wc -w)" ]; }
ok "by as many" wait_until 30 as_many
seen=$(acked)
ok "requests go on" wait_until 30 acked_more $((seen + 500))

began=$(now_ms)
kill -TERM "$old"
ok "SIGTERM: the collector leaves when nginx has let go" wait_until 20 another_master "$old"
note "after $(($(now_ms) - began)) ms"
like "with all work done" "$(grep -c 'stopped' "$W/log/collect.log")" '^[1-9]'
seen=$(acked)
ok "requests go on" wait_until 30 acked_more $((seen + 500))

# a flusher carries over what stood there when it was told to stop, and leaves, although
# at every moment there is something new: a batch takes longer than the next event
sql "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END';
	CREATE TRIGGER slow AFTER UPDATE ON forebay.progress FOR EACH STATEMENT EXECUTE FUNCTION slow()"
stop flush
rows() { sql "SELECT count(*) FROM forebay.event"; }
loaded() { [ "$(rows)" -gt "$1" ]; }
for i in 1 2 3; do
	before=$(rows)
	flusher
	ok "a flusher goes on under load, $i" wait_until 30 loaded "$before"
	seen=$(acked) rc=0
	ok "and stops when told" stop flush TERM 20
	wait "$(pid_of flush)" || rc=$?
	is "all of before is there" "$(($(rows) >= seen))" 1
	left=$(sed -n 's/.*flush.stopped pending=//p' "$W/log/flush.log" | tail -n 1)
	is "its status says whether something came meanwhile ($left)" $rc "$([ "$left" = 0 ] && echo 0 || echo 75)"
done
sql "DROP TRIGGER slow ON forebay.progress"
flusher
kill "$LOAD"
load_end "no request failed"

# systemd's watchdog stops at nothing, not even a master that is itself stopped
old=$(master)
kill -STOP "$old" && kill -ABRT "$old" && kill -CONT "$old"
ok "SIGABRT ends a master at once" wait_until 30 gone "$old"
ok "there is another" wait_until 30 another_master "$old"
collector_ready || bail "forebayd does not get ready"

post '{"last":1}' >/dev/null
ok "the flusher stops" stop flush TERM 20
ok "and leaves nothing behind" drained
verify "each event once" --no-duplicates "$W/oracle"

# what came a moment ago, to a segment that had nothing for long, is not left behind
missed=0
for pause in 1.1 1.3 1.5 1.7 1.9; do
	flusher -o flush.batch_age=5s
	post '{"then":1}' >/dev/null
	wait_drained 10 || fail "not drained"
	sleep $pause
	post '{"at once":1}' >/dev/null
	stop flush TERM 20 || fail "the flusher does not stop"
	drained || missed=$((missed + 1))
done
is "an event just before the end counts" "$missed" 0
done_testing
