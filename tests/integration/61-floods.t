#!/bin/sh
# Many from one address, without a key, against Debian's nginx.conf with what INSTALL.md
# adds to it: the logs, nginx's memory and the other clients bear it.
# shellcheck disable=SC3045	# ulimit -H, -S: dash has them
. "$(dirname "$0")/lib.sh"
[ -x /usr/bin/python3 ] || skip_all "no /usr/bin/python3"
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 8192 ] || skip_all "no 8,192 files for one process"
world
collector
nginx
CONF=$W/nginx/conf LOGS=$W/nginx/log
PLAIN=$((PORT - 12001))		# where no other test looks for one

# The site behind a load balancer, as it is but for the port, in Debian's nginx.conf.
sed -e "s|listen 8080|listen 127.0.0.1:$PLAIN|" -e '/ipv6-alb/d' \
	"$CONF/forebay-alb.conf" >"$CONF/plain.conf"
cat >"$W/nginx/nginx.conf" <<-END
	worker_processes 2;
	pid $W/nginx/nginx.pid;
	error_log $LOGS/nginx-error.log;
	include $W/nginx/modules-enabled/*.conf;
	events {
		worker_connections 768;
		# multi_accept on;
	}
	http {
		client_body_temp_path $W/nginx/tmp/body;
		fastcgi_temp_path $W/nginx/tmp/fastcgi;
		proxy_temp_path $W/nginx/tmp/proxy;
		scgi_temp_path $W/nginx/tmp/scgi;
		uwsgi_temp_path $W/nginx/tmp/uwsgi;
		include $CONF/plain.conf;
	}
END
mkdir "$W/nginx/modules-enabled"
sed -n '/^    sudo .*\(main\.conf\|nginx\.conf\)/s/^    sudo //p' "$top_srcdir/doc/INSTALL.md" |
	sed -e "s|/etc/nginx|$W/nginx|g" -e "s|/usr/local/share/forebay/nginx|$CONF|g" >"$W/advice"
is "INSTALL.md says how nginx gets more connections" "$(wc -l <"$W/advice")" 2
ok "which works" sh -e "$W/advice"
like "as it should" "$(cat "$W/nginx/nginx.conf")" 'worker_connections [0-9]{5};'
# who is not root cannot have more files than he may
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 65536 ] ||
	sed -i "s/nofile .*;/nofile $(ulimit -Hn);/" "$W/nginx/modules-enabled/"*.conf
[ -z "$AS" ] || chown -R "$USER_NAME" "$W/nginx"
stop nginx QUIT
start_nginx() {
	spawn nginx sh -c 'ulimit -Sn 1024; exec "$@"' sh "$NGINX" -p "$W/nginx" -c nginx.conf -e "$LOGS/nginx-error.log" -g 'daemon off;'
	wait_until 60 good_one
}
good_one() { [ "$(good)" = 202 ]; }
good() {
	curl -s -o /dev/null -w '%{http_code}' --max-time 5 --interface 127.0.0.3 -d '{"a":1}' "http://127.0.0.1:$PLAIN/v1/events"
}
PYTHON=/usr/bin/python3
SENDERS=$top_srcdir/tests/tools/senders.py
ok "nginx runs" start_nginx

# --- the logs -----------------------------------------------------------------------

bytes() { cat "$LOGS"/*.log | wc -c; }
quiet() { a=$(bytes) && sleep 1.2 && [ "$(bytes)" = "$a" ]; }
# grown WHAT BEFORE N
grown() {
	wait_until 30 quiet
	n=$(($(bytes) - $2))
	note "$1: $n bytes for $3 requests, $((n / $3)) each"
	ok "$1: the logs grow by less than 30 bytes a request" test $((n / $3)) -lt 30
}
before=$(bytes)
statuses=$(as $PYTHON "$SENDERS" flood "$PLAIN" 127.0.0.2 10000)
note "$statuses"
like "10,000 GETs with long paths and agents are refused" "$statuses" '^404:[0-9]+( 429:[0-9]+)?$'
grown "refused" "$before" 10000
longest() { awk '{ n = length($0); if (n > max) max = n } END { print max + 0 }' "$LOGS/nginx.log"; }
note "the longest line: $(longest)"
ok "no line is longer than 1,500 bytes" test "$(longest)" -lt 1500
ok "but some are there" grep -q '"status":404' "$LOGS/nginx.log"

# the length alone makes nginx refuse it
large() {
	i=0
	while [ $i -lt 300 ]; do
		printf 'next\nurl = "http://127.0.0.1:%s/%s"\nrequest = POST\nheader = "Content-Length: 99999999"\nmax-time = 5\n' \
			"$PLAIN" "$(printf '%01500d' 0)"
		i=$((i + 1))
	done | sed 1d | curl -s -o /dev/null --interface 127.0.0.2 -K - >/dev/null
}
before=$(bytes)
large
grown "larger than the limit" "$before" 300

# --- who else sends --------------------------------------------------------------------

spawn slow $PYTHON "$SENDERS" slow "$PLAIN" 127.0.0.2 2000 1000
sent() { grep -q sent "$W/log/slow.log"; }
ok "2,000 bodies of one address, which never end" wait_until 60 sent
note "$(cat "$W/log/slow.log")"
n=0 bad=
while [ $n -lt 20 ]; do
	status=$(good)
	[ "$status" = 202 ] || bad="$bad $status"
	n=$((n + 1))
done
is "another address is served, 20 connections" "$bad" ""
is "nginx has connections left" "$(cat "$LOGS"/*.log | grep -c 'connections are not enough')" 0
few() { [ "$(ss -Hnt state established "( sport = :$PLAIN )" | wc -l)" -le 520 ]; }
if command -v ss >/dev/null; then
	ok "those that were refused do not stay" wait_until 30 few
else
	skip "those that were refused do not stay: no ss"
fi
stop slow

# --- memory -----------------------------------------------------------------------------

stop nginx QUIT
ok "nginx runs again" start_nginx
rss() { for p in $(children "$(pid_of nginx)"); do awk '/^VmRSS/ { print $2 }' "/proc/$p/status"; done | awk '{ n += $1 } END { print n }'; }
before=$(rss)
rm -f "$W/log/slow.log"
spawn slow $PYTHON "$SENDERS" slow "$PLAIN" 127.0.0.2 500 1000000
ok "500 bodies of a million bytes, which never end" wait_until 90 sent
after=$(rss)
note "$(cat "$W/log/slow.log"); nginx's workers: $before KiB, then $after"
ok "they cost nginx less than 150 MB" test $((after - before)) -lt 150000
stop slow
done_testing
