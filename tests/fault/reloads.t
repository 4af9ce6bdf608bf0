#!/bin/sh
# Reloads in quick succession, while new workers cannot get ready because the disk hangs:
# the last settings hold in the end, however many came before, nobody dies, and who waits
# for an answer gets it. Without PostgreSQL. FULL=1: longer than a worker without a sign of
# life is let.
. "$(dirname "$0")/../integration/lib.sh"
world_dir
cp "$top_builddir/tests/fault/slow_disk.so" "$W/slow_disk.so" || bail "tests/fault/slow_disk.so is not built"
chmod 0755 "$W/slow_disk.so"
with_workers() { sed -i "s|^workers = .*|workers = $1|" "$W/forebay.conf"; }
begin() {		# begin WORKERS
	with_workers "$1"
	# a parent that ignores SIGCHLD is no reason not to see who ends
	spawn collect env --ignore-signal=CHLD LD_PRELOAD="$W/slow_disk.so" ASAN_OPTIONS=verify_asan_link_order=0 SLOW_SYNC_HANG="$W/hang" \
		"$BIN/forebayd" -c "$W/forebay.conf"
	collector_ready || bail "forebayd does not get ready"
	MASTER=$(pid_of collect)
}
begin 2

starts() { grep -c ' start version=' "$W/log/collect.log"; }
started_more() { [ "$(starts)" -gt "$1" ]; }
workers_are() { [ "$(children "$MASTER" | wc -w)" = "$1" ]; }
reload_with() {		# reload_with WORKERS: until the master runs anew
	local seen
	seen=$(starts)
	with_workers "$1"
	kill -HUP "$MASTER"
	wait_until 60 started_more "$seen"
}
# a reload that comes before a new worker is there finds nothing unfinished
more_than() { [ "$(children "$MASTER" | wc -w)" -gt "$1" ]; }

ok "two workers" wait_until 30 workers_are 2
first=$(children "$MASTER")
as touch "$W/hang"
fcgi 'post:{"a":1}' answer >"$W/answer" &
waits=$!
n=0
while [ $n -lt 12 ] && reload_with 2 && wait_until 30 more_than 2; do n=$((n + 1)); done
is "twelve reloads, none of them finished" $n 12
none_there() { for p in $1; do gone "$p" || return 1; done; }
all_there() { for p in $1; do alive "$p" || return 1; done; }
ok "the first workers are there" all_there "$first"
told=0
for p in $(children "$MASTER"); do	# SIGINT is pending
	grep -q '^ShdPnd:.*2$' "/proc/$p/status" && told=$((told + 1))
done
ok "those in between are told to leave: $told" test "$told" -ge 4
as rm "$W/hang"
wait "$waits"
is "who waited has an answer" $? 0
is "it is 202" "$(sed -n '1s/^Status: \([0-9]*\).*/\1/p' "$W/answer")" 202
ok "the first leave in the end" wait_until 40 none_there "$first"
ok "there are two others" wait_until 30 workers_are 2
ok "they are ready" ready

# More, and fewer before those are whole
as touch "$W/hang"
reload_with 20
ok "twenty are coming" wait_until 30 more_than 18
reload_with 3
as rm "$W/hang"
ok "three are there" wait_until 40 workers_are 3
ok "they are ready" ready
is "nobody died, nobody was killed" "$(grep 'worker.died\|worker.killed' "$W/log/collect.log")" ""

# Many have the first slots, and a new file of counters has room for few.
stop collect
begin 20
ok "twenty workers" wait_until 30 workers_are 20
first=$(children "$MASTER")
as rm "$W/run/collect.stat"
reload_with 2
ok "become two" wait_until 40 workers_are 2
ok "of the newest" none_there "$first"

# Who beats in a file of counters that is gone is not taken for dead, after the second reload
# neither.
first=$(children "$MASTER")
as touch "$W/hang"
as rm "$W/run/collect.stat"
reload_with 2
reload_with 2
[ -z "${FULL:-}" ] || sleep 65
ok "those that serve go on" all_there "$first"
as rm "$W/hang"
ok "until there are others" wait_until 40 none_there "$first"
done_testing
