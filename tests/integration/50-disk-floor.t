#!/bin/sh
# Space runs short: 503 with Retry-After below the floor, and 202 again by itself.
# As root also a volume that is really full.
. "$(dirname "$0")/lib.sh"
world
database
codes() { sed 's/.*"statuses":{\([^}]*\)}.*/\1/' "$1"; }

# A floor that stands between the free space with a ballast file and without it.
space() { df --output=avail,size -B1 "$J" | tail -n 1; }
# shellcheck disable=SC2046	# two words
set -- $(space)
MB=1048576
if [ $(($1 - 300 * MB)) -ge $(($2 / 2)) ]; then
	skip "the volume of $W is so empty that no floor can be set"
elif [ "$1" -lt $((1000 * MB)) ]; then
	skip "the volume of $W is nearly full"
else
	as fallocate -l 600M "$W/ballast"
	spawn collect "$BIN/forebayd" -c "$W/forebay.conf" -o collect.workers=1 -o journal.floor_pct=50 \
		-o journal.floor_bytes=$((($1 - 300 * MB) / 1024))K -o journal.cap_pct=100
	wait_until 30 fcgi get:/healthz answer	# before, nginx would say 503
	nginx 'keepalive_timeout 500ms;'
	post '{"a":1}' >/dev/null
	is "below the floor events are refused" "$(status) $(json '$.code')" "503 unavailable"
	like "come again" "$(head_of Retry-After)" '^[1-9][0-9]*$'
	is "small questions are answered" "$(http GET /healthz >/dev/null; status)" 200
	rm "$W/ballast"
	ok "with space it is ready again by itself" wait_until 30 ready
	post '{"a":1}' >/dev/null
	is "and takes events" "$(status)" 202
	stop collect
	stop nginx
fi

# mounted NAME SIZE MKFS-OPTION ...: an ext4 of its own, at $W/NAME
mounted() {
	local name=$1
	truncate -s "$2" "$W/$name.img" && shift 2 && mkfs.ext4 -q -m 0 "$@" "$W/$name.img" &&
	mkdir "$W/$name" && mount -o loop "$W/$name.img" "$W/$name" && MOUNTED="${MOUNTED:-} $W/$name" &&
	mkdir "$W/$name/journal" && chown "$USER_NAME" "$W/$name/journal"
}
unmount() { for m in ${MOUNTED:-}; do umount -l "$m"; done; }
trap 'rc=$?; unmount; (exit $rc); cleanup' EXIT

# A volume of its own that fills to the last block.
if [ -z "$AS" ]; then
	skip "a really full volume: needs root"
elif ! mounted full 48M -b 4096 2>"$W/log/mount.log"; then
	skip "a really full volume: $(tail -n 1 "$W/log/mount.log")"
else
	J=$W/full/journal
	full="-o journal.dir=$J -o journal.segment_bytes=4M -o journal.keep=0 -o journal.keep_min=0"
	collector $full -o collect.workers=2 -o journal.floor_pct=0 -o journal.floor_bytes=0 -o journal.cap_pct=100
	nginx 'keepalive_timeout 500ms;'
	load --form ndjson --events 20 --requests 10000 --expect 202,503 --oracle "$W/oracle"
	is "a full volume gives 503 and nothing worse" "$?" 0
	note "$(cat "$W/load.json")"
	like "after much was taken" "$(codes "$W/load.json")" '"202":[0-9]{3,}'
	like "it was really full" "$(codes "$W/load.json")" '"503":[0-9]'
	is "no worker died of it" "$(grep -c worker.died "$W/log/collect.log")" 0
	as dd if=/dev/zero of="$J/filler" bs=4096 2>/dev/null
	flusher $full
	ok "with no block left, what was taken is flushed" wait_drained 60
	as rm "$J/filler"
	all_ready() { forebay stats --json | grep -q "\"collect_ready\":2[,}]"; }
	ok "events are taken again by themselves" wait_until 60 all_ready
	load --requests 1000 --oracle "$W/oracle"
	is "all of them" "$?" 0
	ok "and flushed" wait_drained 30
	verify "each acknowledged event once" --no-duplicates "$W/oracle"
	stop flush
	rm -f "$J/database"
	flusher $full
	ok "the flusher remembers its database" wait_until 30 test -s "$J/database"
	is "by its id" "$(cat "$J/database")" "$(sql "SELECT id FROM forebay.database")"
	stop flush
	stop collect
	stop nginx
fi

if [ -z "$AS" ]; then
	skip "small blocks: needs root"
elif ! mounted small 16M -b 1024 2>"$W/log/mount.log"; then
	skip "small blocks: $(tail -n 1 "$W/log/mount.log")"
else
	out=$(as timeout 10 "$BIN/forebayd" -c "$W/forebay.conf" -o journal.any_filesystem=no \
		-o journal.dir="$W/small/journal" 2>&1)
	is "a volume with small blocks is refused" $? 78
	like "and the reason is said" "$out" 'blocks of 1024 bytes'
fi
done_testing
