#!/bin/sh
# Where the journal may lie: what forebayd says about a directory on this and that, each
# mounted in a mount namespace of its own. As root, or as root of a user namespace.
. "$(dirname "$0")/lib.sh"
world_dir

# judge WHAT WANT PATTERN SCRIPT: mounts by the script, whose $1 is an empty directory on
# the disk, and asks about its journal/; WANT is forebayd's status
judge() {
	local what=$1 want=$2 pattern=$3 script=$4 out rc=0
	BOX=$W/box.$T
	mkdir -p "$BOX"
	# shellcheck disable=SC2086	# options
	out=$(unshare $NS sh -c "set -e; cd \"\$1\"; $script
		mkdir -p journal; exec \"\$2\" -t -c \"\$3\" -o journal.any_filesystem=no -o journal.dir=\"\$1/journal\"" \
		sh "$BOX" "$BIN/forebayd" "$W/forebay.conf" 2>&1) || rc=$?
	chmod -R u+rwX "$BOX"	# an overlay leaves folders that only root can read
	case $out in *'mount: '*) skip "$what: $(printf '%s' "$out" | head -n 1)"; return ;; esac
	is "$what: $([ "$want" = 0 ] && echo taken || echo refused)" "$rc" "$want"
	like "$what: the reason" "$out" "$pattern"
}
overlay='mkdir -p l u w; mount -t overlay -o lowerdir=l,upperdir=$1/u,workdir=$1/w o journal;'

NS=-m
[ "$(id -u)" = 0 ] || NS=-rm
unshare $NS true 2>/dev/null || skip_all "no mount namespaces here, and nobody is root"
case $(stat -f -c %T "$W") in ext2/ext3|xfs) ;; *) skip_all "$W is on neither ext4 nor XFS" ;; esac

judge "the disk itself" 0 '^$' ''
judge "tmpfs" 78 'journal is on tmpfs: it is memory.*any_filesystem = yes' 'mkdir journal; mount -t tmpfs t journal'
judge "ramfs" 78 'is on ramfs: it is memory' 'mkdir journal; mount -t ramfs t journal'
judge "an overlay on the disk" 0 '^$' "mkdir journal; $overlay"
judge "an overlay whose upper layer has a blank in its path" 0 '^$' \
	'mkdir -p l journal "a b" w; mount -t overlay -o "lowerdir=l,upperdir=$1/a b,workdir=$1/w" o journal'
judge "an overlay on tmpfs" 78 'u is on tmpfs: it is memory' \
	'mkdir t journal; mount -t tmpfs t t; mkdir t/u t/w l
	mount -t overlay -o lowerdir=l,upperdir=$1/t/u,workdir=$1/t/w o journal'
judge "a volatile overlay" 78 'is on overlay: it is mounted (fsync=)?volatile' \
	'mkdir -p l u w journal; mount -t overlay -o lowerdir=l,upperdir=$1/u,workdir=$1/w,volatile o journal'
judge "an overlay whose upper layer is out of sight" 78 'overlay: its upper layer cannot be seen.*docker run -v' \
	"mkdir journal; $overlay mv u elsewhere"
judge "a bind mount of the disk within an overlay, a container's volume" 0 '^$' \
	"mkdir journal real; $overlay mkdir journal/deep; mount --bind real journal"

if [ "$(id -u)" != 0 ]; then
	skip "FUSE and volumes with a disk of their own: needs root"
	done_testing
fi

if command -v bindfs >/dev/null && [ -e /dev/fuse ]; then
	judge "FUSE" 78 'is on fuse: a program decides' 'mkdir real journal; bindfs real journal'
else
	skip "FUSE: no bindfs or no /dev/fuse"
fi

# disk NAME SIZE MKFS ...: mounts the image NAME.img of that size at journal
disk() { printf 'truncate -s %s v.img; %s v.img >/dev/null 2>&1; mkdir -p journal; mount -o loop%s v.img journal\n' "$1" "$2" "${3:+,$3}"; }
judge "ext4" 0 '^$' "$(disk 32M 'mkfs.ext4 -q -b 4096')"
judge "ext4 data=writeback" 0 '^$' "$(disk 32M 'mkfs.ext4 -q -b 4096' data=writeback)"
judge "ext4 nobarrier" 78 'is on ext4: it is mounted nobarrier' "$(disk 32M 'mkfs.ext4 -q -b 4096' nobarrier)"
judge "small blocks" 78 'is on ext4: it has blocks of 1024 bytes' "$(disk 32M 'mkfs.ext4 -q -b 1024')"
judge "a disk image in memory" 78 'v.img is on tmpfs: it is memory' \
	"mkdir t; mount -t tmpfs t t; cd t; $(disk 32M 'mkfs.ext4 -q -b 4096'); cd ..; mkdir journal; mount --bind t/journal journal"
for fs in xfs btrfs; do
	command -v mkfs.$fs >/dev/null || { skip "$fs: no mkfs.$fs"; continue; }
	case $fs in
	xfs)	judge "XFS" 0 '^$' "$(disk 320M 'mkfs.xfs -q')" ;;
	btrfs)	judge "btrfs" 78 'is on btrfs: it copies on write' "$(disk 128M 'mkfs.btrfs -q')"
		judge "an overlay on btrfs" 78 'u is on btrfs: it copies on write' \
			"$(disk 128M 'mkfs.btrfs -q' | sed 's/journal/b/g')
			mkdir b/u b/w l journal
			mount -t overlay -o lowerdir=l,upperdir=\$1/b/u,workdir=\$1/b/w o journal" ;;
	esac
done
done_testing
