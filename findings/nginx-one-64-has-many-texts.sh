#!/bin/bash
# WHAT: two clients in one /64 of IPv6 have different first four groups in nginx's $remote_addr: where
#     `::' stands depends on the other half of the address, and a single zero group is written out.
#     In a /64 whose last group is 0, the first one of each /48, it is so for most pairs of clients.
# VERSIONS: nginx 1.22.1-9+deb12u11 (Debian 12), ngx_inet6_ntop() in src/core/ngx_inet.c: the longest run of
#     two or more zero groups becomes `::', as RFC 5952 wants it.
# GUESS: a map for limits by /64 that takes the text before the fourth colon, or what is before `::', as the
#     network. Both give one /64 two names, so two budgets, or put two networks into one.
# SEEN: 2026-11-28
#     network 2001:db8:1:0    text 2001:db8:1::5                  four groups: none               before `::': 2001:db8:1
#     network 2001:db8:1:0    text 2001:db8:1:0:a:b:c:d           four groups: 2001:db8:1:0       before `::': none
#     network 2001:0:0:7      text 2001:0:0:7::5                  four groups: 2001:0:0:7         before `::': 2001:0:0:7
#     network 2001:0:0:7      text 2001::7:a:b:c:d                four groups: none               before `::': 2001
# FOREBAY: `map $remote_addr $forebay_client' in conf/nginx/http.conf.in tells all forms apart; limits.conf counts
#     by it. A test asks nginx for hundreds of addresses with zeros and holds its names against PostgreSQL's network().
set -eu
export LC_ALL=C PATH="$PATH:/usr/sbin"
W=$(mktemp -d)
PID=
trap '[ -z "$PID" ] || kill "$PID" 2>/dev/null; rm -rf "$W"' EXIT

cd "$W"
apt-get download -q nginx=1.22.1-9+deb12u11 >/dev/null 2>&1 || { echo "nginx 1.22.1-9+deb12u11 is not in the archive"; exit 69; }
dpkg -x nginx_*.deb root
mkdir tmp
cat >nginx.conf <<END
daemon off;
worker_processes 1;
pid $W/pid;
error_log $W/error.log;
events { }
http {
	access_log off;
	client_body_temp_path tmp/a; proxy_temp_path tmp/b; fastcgi_temp_path tmp/c; uwsgi_temp_path tmp/d; scgi_temp_path tmp/e;
	map \$remote_addr \$four { default none; "~^((?:[0-9a-f]+:){3}[0-9a-f]+):" \$1; }
	map \$remote_addr \$before { default none; "~^(.*)::" \$1; }
	server {
		listen unix:$W/sock;
		set_real_ip_from unix:;
		real_ip_header X-Forwarded-For;
		return 200 "\$remote_addr \$four \$before\\n";
	}
}
END
chmod 0755 "$W"
root/usr/sbin/nginx -p "$W" -e "$W/error.log" -c "$W/nginx.conf" &
PID=$!
for _ in $(seq 100); do
	curl -s -o /dev/null --unix-socket sock http://x/ && break
	sleep 0.1
done

bad=0
# see NETWORK HOST TEXT FOUR BEFORE
see() {
	local text four before
	read -r text four before < <(curl -sS --max-time 10 --unix-socket sock -H "X-Forwarded-For: $1:$2" http://x/)
	printf 'network %-15s text %-30s four groups: %-18s before `::'"'"': %s\n' "$1" "$text" "$four" "$before"
	[ "$text $four $before" = "$3 $4 $5" ] || bad=1
}
see 2001:db8:1:0 0:0:0:5 2001:db8:1::5 none 2001:db8:1
see 2001:db8:1:0 a:b:c:d 2001:db8:1:0:a:b:c:d 2001:db8:1:0 none
see 2001:0:0:7 0:0:0:5 2001:0:0:7::5 2001:0:0:7 2001:0:0:7
see 2001:0:0:7 a:b:c:d 2001::7:a:b:c:d none 2001
[ $bad = 0 ] || { echo "not as described"; exit 1; }
