#!/bin/sh
# shellcheck disable=SC2046	# options, word by word
# A volume that takes no more writes: turned read-only by an error or by hand, or without
# an inode left. What stands there is carried over all the same, also by a flusher that
# is started then, and what is said about it is true.
. "$(dirname "$0")/../integration/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "volumes of its own: needs root"
world
database
not_at_midnight 120
unmount() { for m in "$W"/volume.*; do umount -l "$m"; done 2>/dev/null; }
trap 'rc=$?; unmount; (exit $rc); cleanup' EXIT

# volume NAME MKFS ...: J is its journal
volume() {
	local name=$1
	shift
	truncate -s 320M "$W/$name.img" && "$@" "$W/$name.img" >"$W/log/mkfs.log" 2>&1 &&
	mkdir "$W/volume.$name" && mount -o loop "$W/$name.img" "$W/volume.$name" 2>"$W/log/mount.log" || return 1
	V=$W/volume.$name J=$W/volume.$name/journal
	mkdir "$J" && chown "$USER_NAME" "$J"
	: >"$W/log/flush.log"
	sql "TRUNCATE forebay.event, forebay.progress"
}
on() { echo "-o journal.dir=$J -o journal.keep=0 -o journal.keep_min=0 -o journal.floor_bytes=0"; }
plant() { seq "$1" | sed 's/.*/{"n":&}/' | journal_tool plant "$J" >/dev/null; }
rows() { sql_is "SELECT count(*) FROM forebay.event" "$1"; }
segments() { [ "$(find "$J" -name '*-*.lock' | wc -l)" = "$1" ]; }
said() { grep -q "$1" "$W/log/flush.log"; }

# --- remounted, or a snapshot that is attached so -----------------------------------------
if ! volume ext4 mkfs.ext4 -q -b 4096; then
	skip "a read-only volume: $(tail -n 1 "$W/log/mkfs.log" "$W/log/mount.log")"
else
	plant 300
	collector $(on) -o collect.workers=1
	nginx 'keepalive_timeout 500ms;'
	load --requests 100 --oracle "$W/oracle"
	kill -9 -"$(pid_of collect)"	# with its -shm as it was
	wait_until 10 gone "$(pid_of collect)"
	find "$J" -name '*.db-shm' | head -n 1 | xargs rm	# as in a copy that left it out
	ok "the volume is read-only" mount -o remount,ro "$V"
	flusher $(on)
	ok "a flusher that is started there carries over what can be read" wait_until 30 rows 400
	spawn flush2 "$BIN/forebay-flusher" -c "$W/forebay.conf" $(on) -o run.dir="$W"
	wait_until 30 gone "$(pid_of flush2)"
	like "a second one is told of the first" "$(cat "$W/log/flush2.log")" 'another flusher works on this journal'
	ok "then it says that nothing can be removed" wait_until 30 said 'flush.alarm .*cannot be removed.*Read-only file system'
	is "nothing is said to be unreadable" "$(grep 'cannot be read' "$W/log/flush.log")" ""
	spawn collect2 "$BIN/forebayd" -c "$W/forebay.conf" $(on) -o collect.workers=2
	ok "a collector starts, and says that it cannot store" wait_until 30 grep -q 'started workers=2 ready=0' "$W/log/collect2.log"
	is "nor that it is ready" "$(grep ' ready workers' "$W/log/collect2.log")" ""
	stop flush
	mount -o remount,rw "$V"
	flusher $(on)
	ok "writable again, what was carried over is removed, but for what two workers write now" wait_until 30 segments 2
	ok "and the collector takes events" wait_until 30 ready
	stop flush
	stop collect2
	verify "each acknowledged event once" --no-duplicates --dropped "$W/oracle"
fi

# --- turned read-only by an error, while a flusher runs -------------------------------------
if ! volume error mkfs.ext4 -q -b 4096 -e remount-ro; then
	skip "an error of the volume: $(tail -n 1 "$W/log/mkfs.log" "$W/log/mount.log")"
else
	pg_stop
	plant 200
	flusher $(on)
	wait_until 30 said 'flush.wait'
	dev=$(basename "$(findmnt -no SOURCE "$V")")
	if ! echo forebay-test >"/sys/fs/ext4/$dev/trigger_fs_error"; then
		skip "an error of the volume: ext4 here cannot be made to have one"
	else
		is "the error made it read-only" "$(touch "$J/x" 2>&1 | grep -c 'Read-only')" 1
		pg_start
		ok "the flusher that was running carries over what stands there" wait_until 60 rows 200
		ok "and says what cannot be done" wait_until 30 said 'flush.alarm .*cannot be removed.*Read-only file system'
		is "reading could" "$(grep 'cannot be read' "$W/log/flush.log")" ""
	fi
	stop flush
fi

# --- no inode left ---------------------------------------------------------------------
if ! volume xfs mkfs.xfs -q -f; then
	skip "XFS without inodes: $(tail -n 1 "$W/log/mkfs.log" "$W/log/mount.log")"
else
	plant 250
	mkdir "$V/other"
	dd if=/dev/zero of="$V/other/filler" bs=1M 2>/dev/null
	dd if=/dev/zero of="$V/other/rest" bs=4096 2>/dev/null
	as sh -c 'i=0; while [ $i -lt 5000 ] && : >"$1/fill$i"; do i=$((i + 1)); done' sh "$J" 2>/dev/null
	is "no file can be made" "$(as touch "$J/one-more" 2>&1 | grep -c 'No space')" 1
	flusher $(on)
	ok "a flusher that is started there makes room" wait_until 60 rows 250
	ok "by removing what was carried over" wait_until 30 segments 0
	stop flush
fi
done_testing
