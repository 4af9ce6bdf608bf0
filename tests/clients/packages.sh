# shellcheck shell=sh disable=SC2034	# variables for those who source this
# Programs of Debian packages that are not installed, because they would take the place of
# the machine's own: downloaded and unpacked in the build folder. Sourced after lib.sh.
#
#   client_program NAME PACKAGE...   PROGRAM, its path, and ROOT, where it was unpacked,
#                                    empty if the machine has it

: "${top_srcdir:?}" "${top_builddir:?}"	# set by lib.sh

client_program() {
	local name=$1 p
	shift
	ROOT='' PROGRAM=$(PATH=$PATH:/usr/sbin command -v "$name") && return
	command -v apt-get >/dev/null || skip_all "no $name, and no apt-get to get it"
	ROOT=$(cd "$top_builddir" && pwd)/tests/clients/$name
	mkdir -p "$ROOT/debs"
	if [ ! -e "$ROOT/done" ]; then
		for p in $(apt-cache depends -i --recurse "$@" 2>/dev/null | grep '^[a-z0-9]' | sort -u); do
			case " $* " in
			*" $p "*) ;;
			*) [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" != installed ] || continue ;;
			esac
			(cd "$ROOT/debs" && apt-get -q download "$p") >>"$ROOT/apt.log" 2>&1
		done
		for p in "$ROOT"/debs/*.deb; do
			[ -e "$p" ] || skip_all "no $name (Debian: $1), and apt-get cannot download it"
			dpkg -x "$p" "$ROOT" || skip_all "cannot unpack $p"
		done
		: >"$ROOT/done"
	fi
	PROGRAM=$(find "$ROOT/usr/sbin" "$ROOT/usr/bin" -name "$name" 2>/dev/null | head -n 1)
	[ -n "$PROGRAM" ] || skip_all "no $name in $*"
	LIBS=$ROOT/usr/lib/$(gcc -print-multiarch 2>/dev/null || uname -m)
	export LD_LIBRARY_PATH="$LIBS:$ROOT/usr/lib/syslog-ng"
}

# example PAGE KIND: the blocks of that kind
example() {
	mkdir -p "$W/ex"
	rm -f "$W"/ex/*
	awk -v dir="$W/ex" -f "$top_srcdir/tests/tools/examples.awk" "$top_srcdir/$1"
	cat "$W"/ex/*."$2"
}

# lines FIRST COUNT: numbered, every tenth with what is hard to bring through JSON
lines() {
	awk -v first="$1" -v count="$2" 'BEGIN {
		hard[0] = "plain"; hard[1] = "\"quoted\" and \\back\\slash"; hard[2] = "tab\there"
		hard[3] = "\351 latin-1"; hard[4] = "\347\205\247\346\230\216"; hard[5] = "{\"json\": true}"
		hard[6] = "%s %n $HOST"; hard[7] = "it\047s"
		for (n = first; n < first + count; n++)
			print "n=" n " " (n % 10 ? "a line" : hard[int(n / 10) % 8])
	}'
}
# say LOGGER-OPTION...: stdin to the client's socket, a line a message
say() { as env -u LD_LIBRARY_PATH logger -d -u "$W/client/log" -p user.info "$@"; }
