#!/bin/sh
# The test of the tests: each *.patch here breaks one rule of the promise, and the test
# that its header names must see it. A copy of the source is built, each of those tests
# passes there; then it fails with the patch.
#   PLANTS: names of these only
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../../.." && pwd)}
HERE=$top_srcdir/tests/fault/plants
T=0 FAILED=0
result() {			# result STATUS TEXT
	T=$((T + 1))
	if [ "$1" = 0 ]; then echo "ok $T - $2"; else echo "not ok $T - $2"; FAILED=1; fi
}
field() { sed -n "s/^$2: //p" "$1"; }

W=$(mktemp -d "${TMPDIR:-/var/tmp}/forebay-plants-XXXXXX") || exit 1
trap 'rm -rf "$W"' EXIT
trap 'exit 130' INT TERM HUP
chmod 0755 "$W"
mkdir "$W/src" "$W/build" || exit 1
(cd "$top_srcdir" && tar cf - --exclude=.git --exclude=config.status --exclude='*.o' --exclude='*.a' \
	bootstrap configure* aclocal.m4 build-aux config.h.in Makefile.* src sql conf tests scripts doc man \
	check quickstart ./*.md LICENSE .clang-format .editorconfig .shellcheckrc) | tar xf - -C "$W/src" || exit 1
cd "$W/build" || exit 1

PATCHES=
for p in ${PLANTS:-$(cd "$HERE" && ls ./*.patch)}; do
	p=${p#./}
	PATCHES="$PATCHES $HERE/${p%.patch}.patch"
done
build() { make -s -j2 "$@" >>"$W/make.log" 2>&1; }
# the programs that tests use are always up to date; else only what a patch asks for
# shellcheck disable=SC2046,SC2086	# targets, word by word
{ ../src/configure -q CFLAGS='-O1 -g0' >"$W/make.log" 2>&1 &&
	build all && build integration-tools $(sed -n 's/^Build: //p' $PATCHES); } ||
	{ tail -n 20 "$W/make.log" | sed 's/^/# /'; echo "Bail out! the copy is not built"; exit 1; }

# run PATCH LOG: its test
run() {
	local test
	test=$(field "$1" Test)
	case $test in *.t) set -- "$1" "$2" sh "../src/$test" ;; *) set -- "$1" "$2" "./$test" ;; esac
	log=$2
	# shellcheck disable=SC2046
	set -- $(field "$1" Env) timeout 150 "$3" ${4:+"$4"}
	top_srcdir=$W/src top_builddir=$W/build FULL='' KEEP='' env "$@" >"$log" 2>&1 </dev/null
}

tried=
for p in $PATCHES; do
	name=$(basename "$p" .patch)
	key="$(field "$p" Test) $(field "$p" Env)"
	case "$tried" in *"|$key|"*) ;; *)
		# the programs are still those of the plant before
		# shellcheck disable=SC2046
		build all && build integration-tools $(field "$p" Build) && run "$p" "$W/log"
		rc=$?
		tried="$tried|$key|"
		result $rc "without a fault it passes: $key"
		[ $rc = 0 ] || { grep -A 3 '^not ok' "$W/log" || tail -n 5 "$W/log"; } | sed 's/^/# /'
	esac
	if ! patch -s -f -F1 -p1 -d "$W/src" <"$p" >"$W/patch.log" 2>&1; then
		result 1 "$name: the patch does not apply"
		patch -s -f -R -p1 -d "$W/src" <"$p" >/dev/null 2>&1
		continue
	fi
	# shellcheck disable=SC2046
	if build $(field "$p" Build); then
		run "$p" "$W/log"
		rc=$?
		seen=$(sed -n 's/^not ok [0-9]* - //p' "$W/log" | head -n 1)
		if [ $rc != 0 ] && [ -n "$seen" ]; then
			result 0 "$name is caught by $(field "$p" Test): $seen"
		else
			result 1 "$name is caught by $(field "$p" Test)"
			{ echo "status $rc"; tail -n 15 "$W/log"; } | sed 's/^/# /'
		fi
	else
		result 1 "$name: the patched source does not compile"
		tail -n 5 "$W/make.log" | sed 's/^/# /'
	fi
	patch -s -f -R -p1 -d "$W/src" <"$p" || exit 1
done
echo "1..$T"
exit $FAILED
