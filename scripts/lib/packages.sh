# shellcheck shell=bash
# What a job needs of Debian, and how it gets here.

# shellcheck disable=SC2034	# read by those who source this file

# package, and what shows that the machine has it: a command, a pkg-config module,
# a header, a file (a pattern)
RUN_PACKAGES='
make              command make
gcc               command gcc
libc6-dev         file    /usr/include/stdlib.h
autoconf          command autoreconf
automake          command automake
pkg-config        command pkg-config
libfcgi-dev       file    /usr/include/fcgiapp.h
libyajl-dev       module  yajl
libpq-dev         module  libpq
libsqlite3-dev    module  sqlite3
libssl-dev        module  libcrypto
zlib1g-dev        module  zlib
nginx             command nginx
openssl           command openssl
curl              command curl
sqlite3           command sqlite3
'

# shellcheck disable=SC2034	# read by those who source this file
PG_PACKAGES='postgresql file /usr/lib/postgresql/*/bin/initdb'
PSQL_PACKAGES='postgresql-client command psql'

CHECK_PACKAGES='
cppcheck          command cppcheck
haproxy           command haproxy
pgbouncer         file    /usr/sbin/pgbouncer
mandoc            command mandoc
patch             command patch
shellcheck        command shellcheck
'
CHECK_ALL_PACKAGES='
chromium          command chromium
clang             command clang
git               command git
valgrind          command valgrind
libc6-dbg         file    /usr/lib/debug/.build-id
prometheus        command promtool
xz-utils          command xz
'

# what only root can run
CHECK_ROOT_PACKAGES='
buildah           command buildah
debootstrap       command debootstrap
iproute2          command ip
systemd-container command systemd-nspawn
'

packages_has() {	# KIND WHAT
	case $1 in
	command) command -v "$2" >/dev/null ;;
	module)	command -v pkg-config >/dev/null && pkg-config --exists "$2" ;;
	file)	compgen -G "$2" >/dev/null ;;
	esac
}

# packages_missing TABLE: the packages to ask for, one a line
packages_missing() {
	local package kind what
	while read -r package kind what; do
		[ -z "$package" ] || packages_has "$kind" "$what" || echo "$package"
	done <<<"$1"
}

# packages_announce TABLE: says what is going to be installed, and lets sudo ask for its
# password where a person sees what it is for; steps have no terminal.
packages_announce() {
	local missing
	missing=$(packages_missing "$1" | paste -sd ' ')
	[ -n "$missing" ] && command -v apt-get >/dev/null || return 0
	echo "Debian packages that are missing and will be installed:"
	fold -s -w 76 <<<"$missing" | sed 's/^/    /'
	[ "$(id -u)" = 0 ] || packages_sudo
	echo
}

# packages_ensure TABLE: 0 when everything is there, 69 when it cannot be had
packages_ensure() {
	local missing=() tool=$HERE/scripts/install-packages
	mapfile -t missing < <(packages_missing "$1")
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "missing: ${missing[*]}"
	if ! command -v apt-get >/dev/null; then
		echo "This machine has no apt-get; install the equivalents of: ${missing[*]}"
		return 69
	elif [ "$(id -u)" = 0 ]; then
		"$tool" "${missing[@]}" || return 1
	elif packages_sudo; then
		sudo "$tool" "${missing[@]}" || return 1
	else
		echo "Neither root nor sudo. Have this run as root, then start again; no service is started by it:"
		printf '  %q %s\n' "$tool" "${missing[*]}"
		return 69
	fi
	mapfile -t missing < <(packages_missing "$1")
	[ ${#missing[@]} -eq 0 ] || { echo "still missing: ${missing[*]}"; return 1; }
}

# May this user become root, without or with a password?
packages_sudo() {
	command -v sudo >/dev/null || return 1
	sudo -n true 2>/dev/null ||
	    { (: </dev/tty) 2>/dev/null && sudo -p 'sudo, to install them; password of %u: ' -v; }
}
