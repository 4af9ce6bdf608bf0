#!/bin/sh
# Tarballs made in other folders, at other times, under other umasks, zones and locales
# are the same bytes, with all that bootstrap generates; so is one made of a tarball.
src=${top_srcdir:-.} n=0 rc=0
W=$(mktemp -d "${TMPDIR:-/var/tmp}/forebay-tarball.XXXXXX") || exit 99
trap 'chmod -R u+w "$W"; rm -rf "$W"' EXIT
NAME=forebay-$(sed -n 's/^AC_INIT(\[forebay\], \[\([^]]*\)\].*/\1/p' "$src/configure.ac")
TARBALL=$NAME.tar.xz

skip_all() { echo "1..0 # SKIP $1"; exit 0; }
ok() {			# WHAT COMMAND ...
	local what="$1"
	n=$((n + 1))
	shift
	if "$@"; then echo "ok $n - $what"; else echo "not ok $n - $what"; rc=1; fi
}
for tool in autoreconf git xz; do
	command -v $tool >/dev/null || skip_all "no $tool"
done
tar --version 2>/dev/null | grep -q 'GNU tar' || skip_all "no GNU tar"

# tarball_of SOURCE FOLDER: configures SOURCE in FOLDER and makes its tarball there
tarball_of() {
	mkdir -p "$2" && (cd "$2" && { "$1/configure" -q && make -s dist; } >log 2>&1) && return
	sed 's/^/# /' "$2/log"
	return 1
}

# anew FOLDER UMASK ZONE LOCALE: the source as a clone has it, bootstrapped there
anew() (
	umask "$2"
	export TZ="$3" LC_ALL="$4"
	mkdir -p "$1/source" && tar -xf "$W/made/$TARBALL" --strip-components=1 --no-same-permissions -C "$1/source" &&
	(cd "$1/source" && rm -rf build-aux configure aclocal.m4 config.h.in Makefile.in &&
	    ./bootstrap >../log 2>&1) || { sed 's/^/# /' "$1/log"; exit 1; }
	tarball_of "$1/source" "$1/build"
)

differ() {		# A B: in what
	rm -rf "$W/a" "$W/b" && mkdir "$W/a" "$W/b"
	tar -xf "$1" -C "$W/a" && tar -xf "$2" -C "$W/b"
	diff -rq "$W/a" "$W/b" | head -n 5 | sed 's/^/# /'
	tar -tvf "$1" >"$W/a.list" && tar -tvf "$2" | diff "$W/a.list" - | head -n 6 | sed 's/^/# /'
}
same() { cmp -s "$1" "$2" || { differ "$1" "$2"; return 1; }; }

unset SOURCE_DATE_EPOCH XZ_OPT XZ_DEFAULTS
ok "a tarball is made" tarball_of "$src" "$W/made"
ok "everybody may read what is in it, its owner write" \
	test "$(tar -tvf "$W/made/$TARBALL" | cut -c 1-10 | sort -u | tr '\n' ' ')" = "-rw-r--r-- -rwxr-xr-x drwxr-xr-x "
ok "and it is nobody's" test "$(tar --numeric-owner -tvf "$W/made/$TARBALL" | awk '{ print $2 }' | sort -u)" = 0/0

export SOURCE_DATE_EPOCH=1234567890
ok "bootstrapped here" anew "$W/one" 022 UTC C.UTF-8
ok "and there" anew "$W/another/folder-of-another" 077 Asia/Kathmandu C
export XZ_DEFAULTS=-T4
ok "once more of the tarball" tarball_of "$W/one/source" "$W/third"
unset XZ_DEFAULTS
ok "the same bytes from two places" same "$W/one/build/$TARBALL" "$W/another/folder-of-another/build/$TARBALL"
ok "the same bytes under other defaults of xz" same "$W/one/build/$TARBALL" "$W/third/$TARBALL"
unset SOURCE_DATE_EPOCH
mkdir "$W/unpacked" && tar -xf "$W/one/build/$TARBALL" -C "$W/unpacked"
ok "made of the tarball" tarball_of "$W/unpacked/$NAME" "$W/fourth"
ok "it is the same bytes, without being told the time" same "$W/one/build/$TARBALL" "$W/fourth/$TARBALL"

# in a clone the time is the commit's
mkdir -p "$W/clone/scripts" "$W/clone/folder" && cp "$src"/scripts/re*-t* "$W/clone/scripts/"
git() { command git -C "$W/clone" -c user.name=x -c user.email=x@localhost "$@"; }
git init -q && git add . && GIT_COMMITTER_DATE=@1111111111 git commit -qm x
is_time() { (cd "$W/clone" && TZ=UTC scripts/reproducible-tar folder) | TZ=UTC tar -tvf - | grep -q "$1"; }
ok "in a clone the time is the commit's" is_time '2005-03-18 01:58 folder'
echo "1..$n"
exit $rc
