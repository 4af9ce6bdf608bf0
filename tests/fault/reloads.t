#!/bin/sh
# Reloads in quick succession, while new workers cannot get ready because the disk hangs:
# the last settings hold in the end, however many came before, nobody dies, and who waits
# for an answer gets it. Without PostgreSQL.
. "$(dirname "$0")/../integration/lib.sh"
world_dir
cp "$top_builddir/tests/fault/slow_disk.so" "$W/slow_disk.so" || bail "tests/fault/slow_disk.so is not built"
chmod 0755 "$W/slow_disk.so"
spawn collect env LD_PRELOAD="$W/slow_disk.so" ASAN_OPTIONS=verify_asan_link_order=0 SLOW_SYNC_HANG="$W/hang" \
	"$BIN/forebayd" -c "$W/forebay.conf"
collector_ready || bail "forebayd does not get ready"
MASTER=$(pid_of collect)

starts() { grep -c ' start version=' "$W/log/collect.log"; }
started_more() { [ "$(starts)" -gt "$1" ]; }
workers_are() { [ "$(children "$MASTER" | wc -w)" = "$1" ]; }
reload_with() {		# reload_with WORKERS: until the master runs anew
	local seen
	seen=$(starts)
	sed -i "s|^workers = .*|workers = $1|" "$W/forebay.conf"
	kill -HUP "$MASTER"
	wait_until 20 started_more "$seen"
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
# shellcheck disable=SC2086	# pids, word by word
ok "the first workers are there" sh -c 'for p; do kill -0 "$p" || exit 1; done' sh $first
as rm "$W/hang"
wait "$waits"
is "who waited has an answer" $? 0
is "it is 202" "$(sed -n '1s/^Status: \([0-9]*\).*/\1/p' "$W/answer")" 202
ok "in the end there are two workers" wait_until 40 workers_are 2
# shellcheck disable=SC2086	# pids, word by word
ok "none of the first" sh -c 'for p; do kill -0 "$p" && exit 1; done; true' sh $first
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
done_testing
