#!/bin/sh
# syslog-ng with the settings of doc/clients/syslog-ng.md: every line arrives once, those
# that were sent while the collector was away too, and a batch that is refused as a whole
# holds nothing up.
. "$(dirname "$0")/../integration/lib.sh"
. "$(dirname "$0")/packages.sh"
client_program syslog-ng syslog-ng-core syslog-ng-mod-http

world; database; collector; nginx "access_log $W/nginx/log/nginx.log forebay;"; flusher
mkdir "$W/client"
{
	# the version of the settings is that of the program
	echo "@version: $("$PROGRAM" --version 2>/dev/null | sed -n 's/^Config version: //p')"
	echo "source s_src { unix-dgram(\"$W/client/log\" flags(no-multi-line)); };"
	example doc/clients/syslog-ng.md syslog-ng |
		sed -e "s|url(\"https://events.example.com|tls(ca-file(\"$W/nginx/tls/cert.pem\")) url(\"$URL|" \
		    -e "s|disk-buffer(|disk-buffer(dir(\"$W/client\") |"
} >"$W/client/conf"
[ -z "$AS" ] || chown -R "$USER_NAME" "$W/client"
start() {
	# shellcheck disable=SC2086	# an option and its value, or nothing
	spawn syslog "$PROGRAM" -F --no-caps -f "$W/client/conf" -R "$W/client/persist" -p "$W/client/pid" \
		-c "$W/client/ctl" ${ROOT:+--module-path=$(dirname "$(find "$ROOT" -name libafsocket.so)")}
	wait_until 30 test -S "$W/client/log" || bail "syslog-ng does not start"
}
send() { lines "$@" | say -t app; }
count() { sql "SELECT count(*) FROM forebay.event WHERE type = 'syslog'"; }
have() { [ "$(count)" = "$1" ]; }

start
send 0 3000
ok "every line arrives" wait_until 60 have 3000
like "as the page says" "$(sql "SELECT source || ' ' || subject || ' ' || (payload->>'level') || ' ' || (payload->>'message')
	FROM forebay.event WHERE payload->>'message' LIKE 'n=10 %'")" '^[^ ]+ app info n=10 "quoted" and \\back\\slash$'
is "with a time" "$(sql "SELECT count(*) FROM forebay.event WHERE time IS NULL")" 0
is "and an id" "$(sql "SELECT count(DISTINCT id) FROM forebay.event")" 3000

stop collect
send 3000 1000
refused() { grep -q '"status":503' "$W/nginx/log/nginx.log"; }
ok "nginx refuses meanwhile" wait_until 60 refused
collector
ok "what was sent while nobody took it arrives" wait_until 90 have 4000
stop collect
send 4000 500
stop syslog
start
collector
ok "through a restart of syslog-ng too" wait_until 90 have 4500
is "each line once" "$(sql "SELECT count(DISTINCT substring(payload->>'message' from '^n=([0-9]+) ')) FROM forebay.event")" 4500

# a line that cannot be stored, alone in its batch: an attribute of more than 256 bytes
echo alone | say -t "$(printf '%0300d' 0)"
rejected() { [ "$(sql "SELECT count(*) FROM forebay.rejection")" -gt 0 ]; }
ok "a line that cannot be stored is a rejection" wait_until 60 rejected
send 4500 100
ok "and holds nothing up" wait_until 60 have 4600
is "it is one rejection" "$(sql "SELECT count(*) FROM forebay.rejection")" 1
done_testing
