#!/bin/sh
# rsyslog with the settings of doc/clients/rsyslog.md and examples/forebay-omprog: every
# line arrives once, those that were sent while the collector was away too, and a batch
# that is refused as a whole holds nothing up.
. "$(dirname "$0")/../integration/lib.sh"
. "$(dirname "$0")/packages.sh"
client_program rsyslogd rsyslog

world; database; collector; nginx "access_log $W/nginx/log/nginx.log forebay;"; flusher
mkdir "$W/client"
cp "$top_srcdir/conf/examples/forebay-omprog" "$W/client/"
{
	example doc/clients/rsyslog.md curl | sed -e "s|https://events.example.com|$URL|"
	echo "cacert = \"$W/nginx/tls/cert.pem\""
} >"$W/client/omprog.curl"
{
	echo "global(workDirectory=\"$W/client\")"
	echo "module(load=\"imuxsock\" SysSock.Use=\"off\")"
	echo "input(type=\"imuxsock\" Socket=\"$W/client/log\" RateLimit.Interval=\"0\")"
	example doc/clients/rsyslog.md rsyslog |
		sed -e "s|/usr/local/share/forebay/examples/forebay-omprog|$W/client/forebay-omprog|" \
		    -e "s|/etc/forebay/omprog.curl|$W/client/omprog.curl|; s|/var/spool/rsyslog|$W/client|"
} >"$W/client/conf"
[ -z "$AS" ] || chown -R "$USER_NAME" "$W/client"
start() {
	# shellcheck disable=SC2086	# an option and its value, or nothing
	spawn rsyslog env -u LD_LIBRARY_PATH ${ROOT:+LD_LIBRARY_PATH=$LIBS RSYSLOG_MODDIR=$LIBS/rsyslog/} \
		"$PROGRAM" -n -iNONE -f "$W/client/conf" ${ROOT:+-M$LIBS/rsyslog/}
	wait_until 30 test -S "$W/client/log" || bail "rsyslogd does not start"
}
send() { lines "$@" | say -t app; }
count() { sql "SELECT count(*) FROM forebay.event WHERE type = 'syslog' AND subject = 'app'"; }
have() { [ "$(count)" = "$1" ]; }

start
send 0 3000
ok "every line arrives" wait_until 60 have 3000
like "as the page says" "$(sql "SELECT source || ' ' || subject || ' ' || (payload->>'level') || ' ' || (payload->>'message')
	FROM forebay.event WHERE payload->>'message' LIKE '%n=10 %'")" '^[^ ]+ app info  ?n=10 "quoted" and \\back\\slash$'
is "with a time" "$(sql "SELECT count(*) FROM forebay.event WHERE time IS NULL")" 0
is "and an id" "$(sql "SELECT count(DISTINCT id) FROM forebay.event WHERE subject = 'app'")" 3000

stop collect
send 3000 1000
refused() { grep -q '"status":503' "$W/nginx/log/nginx.log"; }
ok "nginx refuses meanwhile" wait_until 60 refused
collector
ok "what was sent while nobody took it arrives" wait_until 90 have 4000
stop collect
send 4000 500
stop rsyslog
start
collector
ok "through a restart of rsyslog too" wait_until 90 have 4500
is "each line once" "$(sql "SELECT count(DISTINCT substring(payload->>'message' from 'n=([0-9]+) ')) FROM forebay.event")" 4500

# a line that cannot be stored, alone in its batch: an attribute of more than 256 bytes
echo alone | say -t "$(printf '%0300d' 0)"
rejected() { [ "$(sql "SELECT count(*) FROM forebay.rejection")" -gt 0 ]; }
ok "a line that cannot be stored is a rejection" wait_until 60 rejected
send 4500 100
ok "and holds nothing up" wait_until 60 have 4600
is "it is one rejection" "$(sql "SELECT count(*) FROM forebay.rejection")" 1

# a batch of 6 MB, where 4 are taken, with a line of 5 MB in it
mkdir "$W/client/large"
[ -z "$AS" ] || chown "$USER_NAME" "$W/client/large"
large() {
	{
		echo 'BEGIN TRANSACTION'
		awk 'BEGIN { for (i = 0; i < 12; i++) { n = i == 7 ? 5000000 : 500000
			printf "{\"id\":\"large-%d\",\"type\":\"large\",\"fill\":\"%0*d\"}\n", i, n, 0 } }'
		echo 'COMMIT TRANSACTION'
	} | as sh "$W/client/forebay-omprog" "$W/client/omprog.curl" "$W/client/large"
}
is "a batch that is too large is taken" "$(large | sort | uniq -c | awk '{ printf "%s ", $0 }' | tr -s ' ')" " 12 DEFER_COMMIT 3 OK "
have_large() { [ "$(sql "SELECT count(DISTINCT id) FROM forebay.event WHERE type = 'large'")" = 11 ]; }
ok "every line of it but the one that is too large" wait_until 60 have_large
is "nothing of it is left behind" "$(ls "$W/client/large")" ""
done_testing
