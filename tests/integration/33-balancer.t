#!/bin/sh
# Two nodes behind a load balancer, and one of them is stopped under load, again and again:
# /readyz says no while all is still served, so the balancer has time to turn away, and no
# request is refused. A reload does not say no at all.
# FULL=1: the times as they are shipped, a look every 2 s, 20 stops.
. "$(dirname "$0")/lib.sh"
HAPROXY=$(PATH=$PATH:/usr/sbin command -v haproxy) || skip_all "no haproxy (Debian: haproxy)"
STOPS=2 LOOK=400ms FIRST='keepalive_timeout 500ms;' SECOND='keepalive_time 1s;'
set -- -o collect.stop_timeout=5s
[ -z "${FULL:-}" ] || { STOPS=20 LOOK=2s FIRST='keepalive_timeout 5s;' SECOND='keepalive_time 10s;'; set --; }
world

# The other node has a world of its own in this one; its processes are ended with ours.
HERE=$W W=$W/other
mkdir -p "$W/run" "$W/log" "$W/journal" "$W/nginx"
cp -r "$HERE/nginx/tls" "$W/nginx/"
sed "s|$HERE/|$W/|g" "$HERE/forebay.conf" >"$W/forebay.conf"
[ -z "$AS" ] || chown -R "$USER_NAME" "$W"
collector
nginx
cp "$W/collect.pid" "$HERE/other-collect.pid"
cp "$W/nginx.pid" "$HERE/other-nginx.pid"
OTHER_PORT=$PORT W=$HERE
collector "$@"
nginx "$FIRST" "$SECOND"

balancer() {
	BALANCER=$(shuf -n 1 -i 20000-32000)
	cat >"$W/haproxy.cfg" <<-END
		defaults
		  mode http
		  retries 0
		  timeout connect 2s
		  timeout client 30s
		  timeout server 30s
		frontend all
		  bind 127.0.0.1:$BALANCER
		  stats uri /balancer
		  default_backend nodes
		backend nodes
		  option httpchk GET /readyz
		  default-server check inter $LOOK ssl verify none
		  server one 127.0.0.1:$PORT
		  server other 127.0.0.1:$OTHER_PORT
	END
	spawn haproxy "$HAPROXY" -db -f "$W/haproxy.cfg"
	wait_until 10 sees one UP
}
# sees NODE STATE: what the balancer thinks of it
sees() {
	curl -sS --max-time 5 "http://127.0.0.1:$BALANCER/balancer;csv" |
		awk -F , -v n="$1" -v s="$2" '$1 == "nodes" && $2 == n && $18 == s { found = 1 } END { exit !found }'
}
wait_until 60 balancer || bail "haproxy does not start"
ok "the balancer sees the other node" wait_until 30 sees other UP

# What /readyz of the first node says, in a file of "status seconds" each.
look_start() {
	rm -f "$W/looked.stop"
	: >"$W/looked"
	while [ ! -e "$W/looked.stop" ]; do
		curl -s -o /dev/null --max-time 20 --cacert "$W/nginx/tls/cert.pem" -w '%{http_code} %{time_total}\n' "$URL/readyz"
		sleep 0.05
	done >>"$W/looked" &
	LOOKER=$!
}
look_end() {
	: >"$W/looked.stop"
	wait "$LOOKER"
}
looks() { cut -d ' ' -f 1 "$W/looked" | uniq | tr '\n' ' '; }

URL_NODE=$URL URL=http://127.0.0.1:$BALANCER
load_start --rate 400 --seconds 900 --oracle "$W/oracle"
URL=$URL_NODE

look_start
workers=$(children "$(pid_of collect)")
kill -HUP "$(pid_of collect)"
gone_all() { for p in $workers; do gone "$p" || return 1; done; }
ok "a reload under load" wait_until 60 gone_all
look_end
is "it was ready all the time" "$(looks)" "200 "

i=0
while [ $i -lt $STOPS ]; do
	i=$((i + 1))
	look_start
	wait_until 10 test -s "$W/looked"
	kill -TERM "$(pid_of collect)"
	ok "stop $i: the balancer turns away" wait_until 30 sees one DOWN
	running collect && still=runs || still=gone
	is "stop $i: while it still serves" "$still" runs
	ok "stop $i: it ends" stop collect TERM 40
	look_end
	is "stop $i: /readyz said yes, and then no" "$(looks)" "200 503 "
	collector "$@"
	ok "stop $i: the balancer comes back" wait_until 60 sees one UP
done
kill "$LOAD"
load_end "no request was refused in $STOPS stops"
done_testing
