#!/bin/sh
# kill -9 of the oldest worker four times a second, of the flusher once a second and of
# the master now and then, under load over TLS. SECONDS_LONG: how long (30).
. "$(dirname "$0")/../../integration/lib.sh"
LONG=${SECONDS_LONG:-30}
world
database
collector_supervised -o collect.workers=4 -o journal.segment_age=5s
nginx
flusher_supervised -o flush.batch_age=50ms -o flush.batch_rows=1000
not_at_midnight $((LONG + 60))

workers=0 flushers=0 masters=0 turn=0
load_start -c 64 --rate 1500 --seconds "$LONG" --expect 202,503,0 --oracle "$W/oracle"
while alive $LOAD; do
	sleep 0.25
	turn=$((turn + 1))
	# shellcheck disable=SC2046	# pids, word by word
	set -- $(children "$(pid_of collect)")
	# younger than a second they are replaced after a pause only
	[ $# -ge 4 ] && kill -9 "$1" 2>/dev/null && workers=$((workers + 1))
	[ $((turn % 4)) = 0 ] && kill -9 "$(pid_of flush)" 2>/dev/null && flushers=$((flushers + 1))
	[ $((turn % 200)) = 0 ] && kill -9 "$(pid_of collect)" 2>/dev/null && masters=$((masters + 1)) && collector_ready
done
note "count $((workers + flushers + masters)) ($workers workers, $flushers flushers, $masters masters)"
load_end "no answer but 202, 503 and none"
ok "they were killed" test $((workers + flushers)) -ge "$LONG"
ok "everything is flushed" wait_drained 120
ok "each acknowledged event once, none twice" verify --no-duplicates "$W/oracle"
done_testing
