# shellcheck shell=bash
# Who runs the services, and where their data stands. Sets
#   SVC   the user of the services when this is root, else empty
#   ME    the name of the user that runs them in either case
#   RUN   ./run of the clone; run/env always stands there
#   DATA  ./run as well, or a place elsewhere where SVC cannot reach the clone or ./run
#         is no place for data; with a name, a directory of ./check's, for a while only

SERVICE_USER=forebay-dev

place_user() {
	SVC='' ME=$(id -un)
	[ "$(id -u)" = 0 ] || return 0
	SVC=$SERVICE_USER ME=$SERVICE_USER
	id -u "$SVC" >/dev/null 2>&1 ||
	    useradd --system --user-group --home-dir /nonexistent --no-create-home \
		--shell /usr/sbin/nologin --comment 'forebay, run from a clone' "$SVC"
}

# as COMMAND...: runs it as the user of the services. Descriptor 9 is the lock.
as() {
	if [ -n "$SVC" ]; then
		HOME=$DATA setpriv --reuid="$SVC" --regid="$SVC" --init-groups -- "$@" 9>&-
	else
		"$@" 9>&-
	fi
}

# Will this directory do? Its name goes as it is into what autoconf, nginx and libpq
# read, a UNIX socket's path has at most 107 bytes, and a journal keeps off file
# systems in memory or on a network.
place_suits() {
	local longest=$1/sock/.s.PGSQL.5432.lock
	[ "$(printf %s "$longest" | wc -c)" -le 107 ] || return 1
	case $1 in *[![:alnum:]/._+~-]*) return 1 ;; esac
	case $(stat -f -c %T "$1") in
	tmpfs|ramfs|nfs*|cifs|smb*|v9fs|ceph|afs) return 1 ;;
	esac
	[ -z "$SVC" ] || DATA=/ as test -x "$1"
}

# Where data stand that ./run cannot hold. Not in /var/tmp, if it can be helped: Debian 13
# removes what nobody has touched there for 30 days.
place_elsewhere() {	# [NAME]
	local state=${XDG_STATE_HOME:-${HOME:-/nonexistent}/.local/state}
	if [ -n "${1:-}" ]; then
		echo "/var/tmp/forebay-$(id -u "$ME")-$1"
	elif [ -n "$SVC" ]; then
		echo /var/lib/forebay-quickstart
	elif mkdir -p "$state" && place_suits "$state/forebay-quickstart"; then
		echo "$state/forebay-quickstart"
	else
		echo "/var/tmp/forebay-$(id -u)"
	fi
} 2>/dev/null

# An instance is found where it was begun, whatever became of the rights since.
place_find() {	# [NAME]
	local elsewhere
	RUN=$HERE/run
	if ! mkdir -p "$RUN" || [ ! -w "$RUN" ]; then
		echo "$RUN cannot be written by $(id -un)"
		return 1
	fi
	DATA=$RUN${1:+/$1}
	elsewhere=$(place_elsewhere "${1:-}")
	if [ "$(cat "$elsewhere/clone" 2>/dev/null)" = "$HERE" ]; then
		DATA=$elsewhere
	elif ! place_suits "$RUN"; then
		if [ -e "$DATA/clone" ]; then
			echo "$DATA holds an instance, and is no place for $ME any more: it may not go through"
			echo "the directories above it, or the clone was moved. Undo that, or remove $RUN."
			return 1
		fi
		DATA=$elsewhere
	fi
}

# place_make SUBDIR...: DATA is the caller's, what is in it the services'.
place_make() {
	local d
	mkdir -m 755 "$DATA" 2>/dev/null
	# where everybody may write, whoever was here first must have been us
	if [ -L "$DATA" ] || [ ! -O "$DATA" ]; then
		echo "$DATA is there and does not belong to $(id -un)"
		return 1
	fi
	[ -e "$DATA/clone" ] || echo "$HERE" >"$DATA/clone" || return 1
	for d in "$@"; do
		[ -d "$DATA/$d" ] || as_owner "$DATA/$d" || return 1
	done
}

as_owner() {
	if [ -n "$SVC" ]; then
		install -d -m 700 -o "$SVC" -g "$SVC" "$1"
	else
		install -d -m 700 "$1"
	fi
}

# place_taken ACTION: does another clone keep its data in this place? What a clone
# left behind that has moved or is gone may be purged from here.
place_taken() {
	local other
	other=$(cat "$DATA/clone" 2>/dev/null) || return 1
	if [ "$other" = "$HERE" ]; then
		return 1
	elif [ "${DATA#"$RUN"}" = "$DATA" ] && [ -d "$other" ]; then
		echo "$DATA belongs to the clone in $other; end it there with ./quickstart --purge"
	elif [ "$1" = purge ]; then
		return 1
	else
		echo "$DATA was made by a clone in $other; remove it with ./quickstart --purge"
	fi
}
