#!/bin/sh
# A reload to what would not start is refused, and what runs goes on: bad settings, a
# bad file of keys, a program that is none, that is gone, or that never ends its test.
. "$(dirname "$0")/lib.sh"
world
database
sed -i "s|^keys =.*|keys = $W/keys|" "$W/forebay.conf"
LOAD_PATH="/v1/events?key=$(forebay key new --name load shop 2>/dev/null)"
as mkdir "$W/prog"
as cp "$BIN/forebayd" "$W/prog/forebayd"
FOREBAYD=$W/prog/forebayd
# what systemd's watchdog would hear, a line each
PYTHON=/usr/bin/python3
if [ -x $PYTHON ]; then
	spawn systemd $PYTHON -uc "import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('$W/run/notify')
while True: print(s.recv(4096).decode())"
	wait_until 30 test -S "$W/run/notify" || bail "nobody listens"
	export NOTIFY_SOCKET="$W/run/notify" WATCHDOG_USEC=20000000
fi
collector
unset NOTIFY_SOCKET WATCHDOG_USEC
nginx 'keepalive_timeout 500ms;' 'keepalive_time 1s;'
flusher
MASTER=$(pid_of collect)
WORKERS=$(children "$MASTER")

refusals() { grep -c 'reload.refused.*keeping=.what runs' "$W/log/collect.log"; }
refused_more() { [ "$(refusals)" -gt "$1" ]; }
acked() { grep -c ^A "$W/oracle"; }
acked_more() { [ "$(acked)" -gt "$1" ]; }
# refuse WHAT PATTERN: SIGHUP, and the log says why
refuse() {
	local before seen line
	before=$(refusals)
	line=$(($(wc -l <"$W/log/collect.log") + 1))
	kill -HUP "$MASTER"
	ok "$1: refused" wait_until 40 refused_more "$before"
	like "$1: the log says why" "$(tail -n "+$line" "$W/log/collect.log")" "$2"
	is "$1: the workers stay" "$(children "$MASTER")" "$WORKERS"
	seen=$(acked)
	ok "$1: requests go on" wait_until 30 acked_more $((seen + 300))
}
with() {			# with FILE TEXT: its content for a moment
	as cp -p "$1" "$W/kept"
	printf '%b' "$2" | as tee "$1" >/dev/null
}
back() { as mv "$W/kept" "$1"; }

load_start --rate 1000 --seconds 900 --oracle "$W/oracle"
wait_until 30 acked_more 100

with "$W/forebay.conf" '[collect]\nwrokers = 3\n'
refuse "an unknown setting" 'forebay.conf:2: .*wrokers'
back "$W/forebay.conf"
with "$W/forebay.conf" '[collect]\nworkers = many\n'
refuse "a bad value" 'forebay.conf:2: .*many'
back "$W/forebay.conf"
as mv "$W/forebay.conf" "$W/kept"
refuse "no settings" 'forebay.conf: '
back "$W/forebay.conf"
with "$W/keys" 'no key\n'
refuse "a bad file of keys" 'keys:1: expected'
back "$W/keys"
as mv "$W/keys" "$W/kept"
refuse "no file of keys" 'keys: No such file'
back "$W/keys"
as sed "s|^peer = .*|peer = nobody-of-that-name|" "$W/forebay.conf" >"$W/other.conf"
with "$W/forebay.conf" "$(cat "$W/other.conf")\n"
refuse "a user that is not there" 'collect.peer'
back "$W/forebay.conf"

as sed "/^\[run\]/,\$ s|^dir = .*|dir = $W/nowhere|" "$W/forebay.conf" >"$W/other.conf"
with "$W/forebay.conf" "$(cat "$W/other.conf")\n"
refuse "no place for the counters" 'run.dir: No such file'
back "$W/forebay.conf"
as mkdir -m 0555 "$W/locked"
as sed "/^\[journal\]/,/^\[flush\]/ s|^dir = .*|dir = $W/locked|" "$W/forebay.conf" >"$W/other.conf"
with "$W/forebay.conf" "$(cat "$W/other.conf")\n"
refuse "a journal that cannot be written" 'journal.dir: Permission denied'
back "$W/forebay.conf"

# Programs are put there by rename, as packages do it.
program() { as mv "$1" "$W/prog/forebayd"; }
printf 'no program at all' | as tee "$W/prog/text" >/dev/null
as chmod +x "$W/prog/text"
program "$W/prog/text"
refuse "a file that is no program" reload.refused
head -c 20000 "$BIN/forebayd" | as tee "$W/prog/half" >/dev/null
as chmod +x "$W/prog/half"
program "$W/prog/half"
refuse "half a program" reload.refused
as cp "$BIN/forebayd" "$W/prog/plain" && as chmod -x "$W/prog/plain"
program "$W/prog/plain"
refuse "a program that may not be run" reload.refused
as rm "$W/prog/forebayd"
refuse "no program" reload.refused
printf '#!/bin/sh\nexec sleep 100\n' | as tee "$W/prog/slow" >/dev/null
as chmod +x "$W/prog/slow"
program "$W/prog/slow"
pings() { grep -c WATCHDOG=1 "$W/log/systemd.log"; }
[ ! -x $PYTHON ] || before=$(pings)
refuse "a program that never ends its test" reload.refused
if [ -x $PYTHON ]; then
	is "meanwhile the watchdog hears of us" "$([ $(($(pings) - before)) -ge 5 ] && echo yes)" yes
else
	skip "the watchdog: no /usr/bin/python3"
fi
is "nothing of it is left" "$(children "$MASTER")" "$WORKERS"

# And then a good one.
as cp "$BIN/forebayd" "$W/prog/good"
program "$W/prog/good"
kill -HUP "$MASTER"
# shellcheck disable=SC2086	# pids, word by word
all_gone() { for p in $1; do gone "$p" || return 1; done; }
ok "a good one takes over" wait_until 60 all_gone "$WORKERS"
two_left() { [ "$(children "$MASTER" | wc -w)" = 2 ]; }
ok "with as many workers" wait_until 60 two_left
is "of the new program" "$(stat -L -c %i "/proc/$MASTER/exe")" "$(stat -c %i "$W/prog/forebayd")"
seen=$(acked)
ok "requests go on" wait_until 30 acked_more $((seen + 300))
kill -TERM "$LOAD"
load_end "no request has failed"
is "no worker died" "$(grep 'worker.died\|worker.killed' "$W/log/collect.log")" ""
ok "the flusher stops" stop flush TERM 20
ok "and leaves nothing behind" drained
ok "each event once" verify --no-duplicates "$W/oracle"
done_testing
