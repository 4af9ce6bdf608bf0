#!/bin/bash
# WHAT: with LANGUAGE=de in its environment PostgreSQL speaks German under lc_messages = C.UTF-8, on a machine that has
#   no German locale at all. lc_messages = C keeps it English; de_DE.UTF-8 is refused, since it is not there. psql and
#   libpq do the same by LC_ALL.
# VERSIONS: PostgreSQL 15.20-0+deb12u1 (postgresql-15, postgresql-client-15, libpq5) with glibc 2.36 of Debian 12, where
#   the catalogs come with the server's package.
# GUESS: C.UTF-8 is C with another encoding, so its messages are the untranslated ones, and what is not generated cannot
#   be spoken. glibc (intl/dcigettext.c, guess_category_value) leaves LANGUAGE out for the locale named "C" only, and
#   looks for a catalog by LANGUAGE's own words. SHOW lc_messages tells nothing of LANGUAGE; a server has it
#   from the environment of whoever started it.
# SEEN (2026-11-28):
#   locales here:                        C C.utf8 POSIX
#   LANGUAGE=de, lc_messages C.UTF-8:    42601 FEHLER:  Syntaxfehler bei »selec«
#   LANGUAGE=de, lc_messages C:          42601 ERROR:  syntax error at or near "selec"
#   LANGUAGE=de, lc_messages de_DE.utf8: 22023, not there
#   psql, LANGUAGE=de, LC_ALL C.UTF-8:   Fehler
#   psql, LANGUAGE=de, LC_ALL C:         error
# FOREBAY: it decides by SQLSTATE, and its log has PostgreSQL's words as they come. Whoever watches them for English
#   ones sets lc_messages = C.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
SERVER=''
cleanup() {
	[ -z "$SERVER" ] || { kill -INT "$SERVER" && wait "$SERVER"; } 2>/dev/null || true
	rm -rf "$W"
}
trap cleanup EXIT

DEBS=(postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1)
(cd "$W" && apt-get download "${DEBS[@]}" >"$W/apt.log" 2>&1 && for deb in *.deb; do dpkg -x "$deb" "$W"; done) ||
    { echo "apt-get cannot download ${DEBS[*]}"; exit 69; }
BIN=$W/usr/lib/postgresql/15/bin
export LD_LIBRARY_PATH=$W/usr/lib/x86_64-linux-gnu
! ldd "$BIN/postgres" "$BIN/psql" | grep 'not found' || { echo "libraries of postgresql-15 are missing here"; exit 69; }
LOCALES=$(locale -a | tr '\n' ' ')
case $LOCALES in *de_*) echo "a German locale is here: nothing to show"; exit 69 ;; esac

AS=()			# PostgreSQL does not run as root
if [ "$(id -u)" = 0 ]; then
	chown -R nobody "$W"
	AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi
unset LANGUAGE
"${AS[@]}" "$BIN/initdb" -D "$W/data" -U postgres -A trust --no-sync --locale=C.UTF-8 >"$W/initdb.log" 2>&1 ||
    { tail -n 3 "$W/initdb.log"; exit 69; }
LANGUAGE=de "${AS[@]}" "$BIN/postgres" -D "$W/data" -k "$W" -c listen_addresses= >"$W/server.log" 2>&1 &
SERVER=$!

export LC_ALL=C.UTF-8
ask() {
	"$BIN/psql" -X -h "$W" -U postgres -Atq -v VERBOSITY=verbose "$@" 2>&1
}
for _ in $(seq 600); do
	ask -c 'SELECT 1' >/dev/null && break
	sleep 0.1
done

bad=0
# see WHAT EXPECTED SEEN
see() {
	printf '%-36s %s\n' "$1:" "$3"
	[ "$3" = "$2" ] || bad=1
}
# says LC_MESSAGES: the SQLSTATE and the words of a syntax error
says() {
	ask -v ON_ERROR_STOP=1 -c "SET lc_messages = '$1'" -c 'selec 1' | sed -nE '1s/^([^ ]+ +)([0-9A-Z]{5}): +/\2 \1/p' | sed 's/ at character.*//'
}
printf '%-36s %s\n' "locales here:" "$LOCALES"
see 'LANGUAGE=de, lc_messages C.UTF-8' '42601 FEHLER:  Syntaxfehler bei »selec«' "$(says C.UTF-8)"
see 'LANGUAGE=de, lc_messages C' '42601 ERROR:  syntax error at or near "selec"' "$(says C)"
see 'LANGUAGE=de, lc_messages de_DE.utf8' '22023, not there' "$(says de_DE.utf8 | sed 's/ .*/, not there/')"
# word LC_ALL: how psql begins when there is no server
word() {
	LANGUAGE=de LC_ALL=$1 "$BIN/psql" -X -h "$W/nowhere" -U postgres 2>&1 | sed -n '1s/^psql: \([A-Za-z]*\):.*/\1/p'
}
see 'psql, LANGUAGE=de, LC_ALL C.UTF-8' Fehler "$(word C.UTF-8)"
see 'psql, LANGUAGE=de, LC_ALL C' error "$(word C)"
[ $bad = 0 ] || { echo "not as described"; exit 1; }
