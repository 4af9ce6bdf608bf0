#!/bin/sh
# File descriptors run out. A worker takes as many connections as its limit allows and
# keeps some for its journal; who waits gets his turn. When those are gone too it says no,
# the flusher raises an alarm, and both go on by themselves when there are more.
# FULL=1: more clients, 40 seconds.
. "$(dirname "$0")/../integration/lib.sh"
if [ -n "${FULL:-}" ]; then LONG=40 CLIENTS=100; else LONG=3 CLIENTS=70; fi
command -v prlimit >/dev/null || skip_all "no prlimit (Debian: util-linux)"
LIMIT=56
world
database
spawn collect prlimit --nofile=$LIMIT:4096 "$BIN/forebayd" -c "$W/forebay.conf" \
	-o collect.workers=1 -o journal.segment_age=1s
collector_ready || bail "forebayd does not get ready"
nginx 'keepalive_timeout 500ms;' 'keepalive_time 1s;'	# so that nobody waits long
flusher
worker=$(children "$(pid_of collect)")
worker=${worker% }
cpu() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }	# our programs' names have no blanks
open_files() { as ls "/proc/$1/fd" | wc -l; }
limit() { as prlimit --pid "$1" --nofile="$2:"; }
accepted() { post '{"n":1}' >/dev/null && [ "$(status)" = 202 ]; }

# more connections than the worker may have, and each second a new segment
before=$(cpu "$worker")
load_start -c $CLIENTS --rate 500 --seconds $LONG --oracle "$W/oracle"
unready=0 most=0
while alive $LOAD; do
	kill -STOP "$worker"		# so that all clients wait at a time
	sleep 0.3
	kill -CONT "$worker"
	sleep 0.1
	n=$(open_files "$worker")
	[ "$n" -le $most ] || most=$n
	sleep 0.4
	fcgi get:/readyz answer | grep -q 'Status: 503' && unready=$((unready + 1))
done
load_end "more connections than descriptors: no answer but 202"
note "$CLIENTS clients, at most $most of $LIMIT descriptors, CPU time $(($(cpu "$worker") - before))/100 s"
ok "descriptors are left" test "$most" -lt $((LIMIT - 10))
is "it never says that it is not ready" $unready 0
like "it takes as many connections as its limit allows, and says so" "$(cat "$W/log/collect.log")" \
	"accept.full connections=$((LIMIT - 32)) "
ok "within bounds" test "$(grep -c accept. "$W/log/collect.log")" -le $((3 + LONG))

# none at all, and time for another segment; the second event is in a young one, unless the
# machine takes a second to set the limit: then once more
two_answers() { [ "$(grep -c '^Status: 202' "$W/answers")" = 2 ]; }
for try in 1 2 3 4 5; do
	limit "$worker" 4096
	fcgi 'post:{"n":1}' answer 'post:{"n":2}' answer quiet:2500 'post:{"n":3}' answer >"$W/answers" &
	answers=$!
	wait_until 30 two_answers
	limit "$worker" 6
	before=$(cpu "$worker")
	wait $answers
	! grep -q '^Status: 503' "$W/answers" || break
	note "try $try: a new segment came before the limit"
done
is "without descriptors it says no" "$(sed -n 's/^Status: \([0-9]*\).*/\1/p' "$W/answers" | tr '\n' ' ')" "202 202 503 "
ok "it does not turn in circles" test $(($(cpu "$worker") - before)) -lt 60
limit "$worker" 4096
ok "it goes on when there are some" wait_until 30 accepted
is "and has not died" "$(grep -c worker.died "$W/log/collect.log")" 0

# the flusher: segments come, and it can open none
ok "everything arrives" wait_drained 30
flusher=$(pid_of flush)
limit "$flusher" 6
i=0
while [ $i -lt 30 ]; do
	i=$((i + 1))
	echo "{\"n\":$i}" | journal_tool plant "$J" >/dev/null
done
alarm_is() { forebay stats --json | grep -q "\"flush_alarm\":$1[,}]"; }
says() { grep -q "flush.alarm.*Too many open files.*LimitNOFILE" "$W/log/flush.log"; }
ok "a flusher without descriptors raises an alarm" wait_until 30 says
ok "for metrics too" wait_until 30 alarm_is 1
before=$(cpu "$flusher")
sleep 2
ok "it does not turn in circles" test $(($(cpu "$flusher") - before)) -lt 100
ok "and does not fill the log" test "$(wc -l <"$W/log/flush.log")" -lt 40
limit "$flusher" 4096
ok "everything arrives when it has some" wait_drained 30
ok "the alarm is over" wait_until 30 alarm_is 0
ok "nothing was taken for damage" test ! -e "$J/aside"
verify "each acknowledged event once" --no-duplicates "$W/oracle"
is "audit says so too" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
done_testing
