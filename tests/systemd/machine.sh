# shellcheck shell=sh disable=SC2034	# variables for those who source this
# A Debian machine of its own, for the tests that need systemd: made by debootstrap
# once, copied for each run, booted by systemd-nspawn with nothing but a loopback.
#
#   machine_make                the directory M with forebay, nginx and PostgreSQL in it,
#                               or, for another one, machine_world; machine_root NAME PACKAGES
#   machine_boot; machine_off
#   inside COMMAND ...          in the running machine, as root, for a minute at most
#
# Sourced after tests/integration/lib.sh and tests/tools/debian.sh, whose words it uses.

: "${top_srcdir:?}" "${top_builddir:?}"	# set by lib.sh

MACHINE_PACKAGES=systemd,systemd-sysv,ca-certificates,nginx,postgresql,openssl,curl,procps
MACHINE_PACKAGES=$MACHINE_PACKAGES,libfcgi0ldbl,libyajl2,libpq5,libsqlite3-0

machine_need() {
	[ "$(id -u)" = 0 ] || skip_all "a machine needs root"
	command -v systemd-nspawn >/dev/null || skip_all "no systemd-nspawn (Debian: systemd-container)"
	# The programs are built here and run there.
	grep -q '^VERSION_CODENAME=bookworm$' /etc/os-release || skip_all "this is not Debian 12"
	[ -d /sys/fs/cgroup ] || skip_all "no control groups"
	[ -x "$top_builddir/forebayd" ] || bail "not built: $top_builddir/forebayd"
	[ -x "$top_builddir/tests/tools/load" ] || skip_all "no tests/tools/load: libssl is missing"
}

machine_make() {
	machine_world
	machine_root machine "$MACHINE_PACKAGES"
	make -C "$top_builddir" install DESTDIR="$M" >"$W/log/install.log" 2>&1 || bail "make install"
	mkdir -p "$M/opt/test"
	find "$top_builddir/tests/tools" -maxdepth 1 -type f -perm -u+x -exec cp {} "$M/opt/test/" \;
	cp "$top_srcdir/tests/integration/verify.sh" "$M/opt/test/"
}

# The directory W of this test, and what takes it away.
machine_world() {
	local g h
	machine_need
	W=$(mktemp -d /var/tmp/forebay-machine-XXXXXX) || exit 1
	trap machine_end EXIT
	trap 'exit 130' INT TERM HUP
	M=$W/root
	MACHINE_CGROUPS=
	for g in payload/init.scope payload supervisor; do
		for h in systemd unified; do
			[ -d /sys/fs/cgroup/$h/$g ] || MACHINE_CGROUPS="$MACHINE_CGROUPS /sys/fs/cgroup/$h/$g"
		done
	done
	mkdir "$W/log"
}

machine_root() {	# NAME PACKAGE,PACKAGE
	debian_copy "$1" "$2" "$M"
	mkdir -p "$M/var/log/journal"		# a journal that outlives a reboot
	echo forebay-test >"$M/etc/hostname"
	echo "127.0.0.1 localhost forebay-test" >"$M/etc/hosts"
}

# systemd-nspawn ends with status 133 when its machine wants to boot again.
machine_boot() {
	setsid systemd-nspawn -q -b -D "$M" --register=no --keep-unit --private-network \
		--console=pipe </dev/null >>"$W/log/console.log" 2>&1 &
	NSPAWN=$!
	wait_until 120 machine_up || bail "the machine does not boot"
}

machine_leader() { children "$NSPAWN" | awk '{ print $1 }'; }
machine_up() {
	LEADER=$(machine_leader)
	[ -n "$LEADER" ] && case $(inside systemctl is-system-running) in
	running|degraded) ;;
	*) return 1 ;;
	esac
}
machine_reboot() {
	local rc=0
	inside systemctl --no-block reboot 2>/dev/null
	wait_until 180 gone "$NSPAWN" || return 1
	wait "$NSPAWN" || rc=$?
	[ $rc = 133 ] && machine_boot
}
machine_off() {
	inside systemctl --no-block poweroff 2>/dev/null
	wait_until 60 gone "$NSPAWN"
}

inside() { timeout -k 5 60 nsenter -t "$LEADER" -a -- "$@"; }
inside_as() {
	local user=$1
	shift
	inside setpriv --reuid="$user" --regid="$user" --init-groups --reset-env -- "$@"
}

machine_end() {
	local rc=$?
	trap - EXIT INT TERM HUP
	if [ "$FAILED" != 0 ] || [ $rc != 0 ]; then
		note "--- console:" && note "$(tail -n 20 "$W/log/console.log" | cut -c 1-300)"
		note "--- journal:"
		note "$(journalctl -q -D "$M/var/log/journal" -u 'forebay*' -n 60 --no-pager -o short-precise | cut -c 1-300)"
	fi
	if [ -n "${NSPAWN:-}" ] && alive "$NSPAWN"; then
		kill -TERM "$NSPAWN"			# it shuts its machine down
		# shellcheck disable=SC2046	# one pid or none
		wait_until 30 gone "$NSPAWN" || kill -KILL $(machine_leader) "$NSPAWN"
		wait "$NSPAWN" 2>/dev/null
	fi
	# shellcheck disable=SC2086	# what was not there before, when it is empty
	rmdir $MACHINE_CGROUPS 2>/dev/null
	if [ -n "${KEEP:-}" ]; then note "kept $W"; else rm -rf "$W"; fi
	exit $rc
}
