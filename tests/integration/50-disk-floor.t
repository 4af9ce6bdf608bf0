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
	spawn collect "$BIN/forebayd" -c "$W/forebay.conf" -o journal.floor_pct=50 \
		-o journal.floor_bytes=$((($1 - 300 * MB) / 1024))K -o journal.cap_pct=100
	nginx 'keepalive_timeout 500ms;'
	post '{"a":1}' >/dev/null
	is "below the floor events are refused" "$(status) $(json '$.code')" "503 unavailable"
	like "come again" "$(head_of Retry-After)" '^[1-9][0-9]*$'
	is "small questions are answered" "$(http GET /healthz >/dev/null; status)" 200
	rm "$W/ballast"
	ok "with space it is ready again by itself" wait_until 10 ready
	post '{"a":1}' >/dev/null
	is "and takes events" "$(status)" 202
	stop collect
	stop nginx
fi

# A volume of its own that fills to the last block.
if [ -z "$AS" ]; then
	skip "a really full volume: needs root"
elif ! { truncate -s 48M "$W/volume" && mkfs.ext4 -q -m 0 -b 4096 "$W/volume" && mkdir "$W/full" &&
	mount -o loop "$W/volume" "$W/full"; } 2>"$W/log/mount.log"; then
	skip "a really full volume: $(tail -n 1 "$W/log/mount.log")"
else
	umount_full() { mountpoint -q "$W/full" && umount -l "$W/full"; }
	J=$W/full/journal
	mkdir "$J" && chown "$USER_NAME" "$J"
	full="-o journal.dir=$J -o journal.segment_bytes=4M -o journal.keep=0 -o journal.keep_min=0"
	collector $full -o journal.floor_pct=0 -o journal.floor_bytes=0 -o journal.cap_pct=100
	nginx 'keepalive_timeout 500ms;'
	load --form ndjson --events 20 --requests 10000 --expect 202,503 --oracle "$W/oracle"
	is "a full volume gives 503 and nothing worse" "$?" 0
	note "$(cat "$W/load.json")"
	like "after much was taken" "$(codes "$W/load.json")" '"202":[0-9]{3,}'
	like "it was really full" "$(codes "$W/load.json")" '"503":[0-9]'
	is "no worker died of it" "$(grep -c worker.died "$W/log/collect.log")" 0
	flusher $full
	ok "what was taken is flushed from the full volume" wait_drained 60
	ok "events are taken again by themselves" wait_until 20 ready
	load --requests 1000 --oracle "$W/oracle"
	is "all of them" "$?" 0
	ok "and flushed" wait_drained 30
	ok "each acknowledged event once" verify --no-duplicates "$W/oracle"
	stop flush
	stop collect
	stop nginx
	umount_full
fi
done_testing
