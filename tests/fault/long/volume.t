#!/bin/sh
# A volume of its own that another program fills to the last byte while events come and
# the flusher carries them on: nothing may end but by 503, nothing may be lost.
#
#   FS=ext4|xfs|btrfs (ext4)   NOCOW=1: the journal's folder is nodatacow (btrfs)
#   FULL=data|metadata (data)  with large files, or with small ones that lie in metadata (btrfs)
. "$(dirname "$0")/../../integration/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "a volume of its own: needs root"
FS=${FS:-ext4} FULL=${FULL:-data}
command -v "mkfs.$FS" >/dev/null || skip_all "no mkfs.$FS"
world
database
not_at_midnight 180
trap 'rc=$?; umount -l "$W/volume"; (exit $rc); cleanup' EXIT
mkdir "$W/volume"
truncate -s 400M "$W/volume.img" && "mkfs.$FS" "$([ "$FS" = ext4 ] && echo -q || echo -f)" "$W/volume.img" >"$W/log/mkfs.log" &&
	mount -o loop "$W/volume.img" "$W/volume" || skip_all "no $FS can be mounted"
mkdir "$W/volume/journal" "$W/volume/other"
[ -z "${NOCOW:-}" ] || chattr +C "$W/volume/journal"
chown "$USER_NAME" "$W/volume/journal" "$W/volume/other"
J=$W/volume/journal
small="-o journal.dir=$J -o journal.segment_bytes=4M -o journal.keep=0 -o journal.keep_min=0"
collector $small -o journal.floor_bytes=1G
nginx 'keepalive_timeout 500ms;'
flusher_supervised $small

# Small files lie in metadata until there is no room for more of it, which takes a while.
fill_metadata() {
	as timeout 90 python3 - "$W/volume/other" 2>/dev/null <<-'END'
		import os, sys
		for i in range(400000):
		    with open(f"{sys.argv[1]}/{i}", "wb") as f:
		        f.write(b"x" * 2000)
	END
}
if [ "$FULL" = metadata ]; then
	fill_metadata &
	wait_until 40 sh -c '[ "$(df --output=avail "$1" | tail -n 1)" -lt 20000 ]' sh "$W/volume"
fi
load_start -c 16 --rate 2000 --seconds 30 --expect 202,503 --oracle "$W/oracle"
if [ "$FULL" = data ]; then
	sleep 3
	as dd if=/dev/zero of="$W/volume/other/filler" bs=1M 2>/dev/null
	as dd if=/dev/zero of="$W/volume/other/filler2" bs=4096 2>/dev/null
fi
df "$W/volume" | sed 's/^/# /'
wait_until 60 gone "$LOAD"
load_end "no answer but 202 and 503"
note "full for $(grep -c flush.start "$W/log/flush.log") starts of the flusher"
rm -rf "$W/volume/other"
all_ready() { forebay stats --json | grep -q '"collect_ready":2[,}]'; }
ok "with space, events are taken again" wait_until 90 all_ready
ok "and flushed" wait_drained 60
verify "each acknowledged event once" --no-duplicates "$W/oracle"
is "no worker died" "$(grep worker.died "$W/log/collect.log")" ""
is "the flusher was started once" "$(grep -c flush.start "$W/log/flush.log")" 1
note "unreadable $(grep -c flush.read "$W/log/flush.log") times: $(grep flush.read "$W/log/flush.log" | sed 's/.*: //' | sort | uniq -c | head -3)"
unsupervise flush
done_testing
