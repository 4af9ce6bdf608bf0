#!/bin/sh
# nginx as it is installed, both sites with all they include: no TLS for who asks for
# another name, the client's address behind a load balancer, a log without secrets.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
world
collector
nginx
CONF=$W/nginx/conf LOG=$W/nginx/log/nginx.log
TLS_PORT=$((PORT - 12001)) ALB_PORT=$((PORT - 12002))	# where no other test looks for one

# The sites as they are, but for the lines that are the administrator's and the ports.
{
	sed -e 's|events.example.com|localhost|' \
	    -e "s|/etc/nginx/forebay-tls;|$W/nginx/tls;|" "$CONF/forebay-tls.conf"
	sed -e '/http.conf;/d' -e '/metrics.conf;/d' \
	    -e 's|10.0.0.0/16|127.0.0.0/8|' "$CONF/forebay-alb.conf"
} | sed -e "s|listen 8080|listen 127.0.0.1:$ALB_PORT|" \
    -e "s|listen 443|listen 127.0.0.1:$TLS_PORT|" >"$CONF/sites.conf"
sed -i "s|listen 443|listen 127.0.0.1:$TLS_PORT|" "$CONF/reject.conf"
sed -i -e "s|listen \[::\]:443|listen [::1]:$TLS_PORT|" -e "s|listen \[::\]:8080|listen [::1]:$ALB_PORT|" "$CONF"/ipv6-*.conf
sed -i 's|/site.conf;|/sites.conf;|' "$W/nginx/nginx.conf"
takes() { as "$NGINX" -p "$W/nginx" -e "$W/nginx/log/test.log" -t -c nginx.conf 2>&1; }
has_ipv6() { [ -e /proc/net/if_inet6 ] && grep -q '^0*1 ' /proc/net/if_inet6; }
if has_ipv6; then
	ok "nginx takes both sites" takes
	is "without a warning" "$(takes | grep -c '\[warn\]')" 0
else
	skip "nginx takes both sites: no IPv6 here"
fi
# the kernel's word for it is taken away, in a mount namespace: not one line wants IPv6
cat >"$W/blind" <<'END'
mount -t tmpfs none /proc/sys/net || exit 1
exec "$@" -T -c nginx.conf
END
if as unshare --user --map-current-user --keep-caps --mount true 2>/dev/null; then
	as unshare --user --map-current-user --keep-caps --mount sh "$W/blind" "$NGINX" -p "$W/nginx" -e "$W/nginx/log/test.log" \
		>"$W/dump" 2>&1
	is "where the kernel has no IPv6: both sites, on IPv4 only" \
		"$(grep -c 'server_name \(localhost\|_\);' "$W/dump") $(grep -c '^[[:space:]]*listen \[' "$W/dump")" "3 0"
else
	skip "where the kernel has no IPv6: no user namespaces here"
fi
stop nginx QUIT
spawn nginx "$NGINX" -p "$W/nginx" -c nginx.conf -e "$W/nginx/log/nginx-error.log" -g 'daemon off;'
URL=https://localhost:$TLS_PORT
ok "and runs them" wait_until 30 http GET /v1/time
http GET /v1/time --http2 >/dev/null
like "HTTP/2 works" "$(head -n 1 "$W/head")" '^HTTP/2 200'

# --- where TLS ends ---------------------------------------------------------------

tls() { curl -sS -o /dev/null --max-time 10 --cacert "$W/nginx/tls/cert.pem" "$@"; }
ok "TLS 1.2" tls --tls-max 1.2 "$URL/v1/time"
ok "TLS 1.3" tls --tlsv1.3 "$URL/v1/time"
is "no TLS 1.1" "$(printf '' | openssl s_client -connect "localhost:$TLS_PORT" -servername localhost \
	-tls1_1 -cipher DEFAULT:@SECLEVEL=0 2>/dev/null | grep -c 'Cipher is [^(]')" 0
is "no TLS without a name" "$(tls "https://127.0.0.1:$TLS_PORT/v1/time" 2>/dev/null || echo "curl $?")" "curl 35"
is "nor for another one" "$(tls --resolve "x.example:$TLS_PORT:127.0.0.1" \
	"https://x.example:$TLS_PORT/v1/time" 2>/dev/null || echo "curl $?")" "curl 35"
broken() { printf '\026\003\001\000\005\001\000\000\001\000' | timeout 10 nc 127.0.0.1 "$TLS_PORT" >/dev/null; }
if command -v nc >/dev/null; then
	ok "a broken handshake is given up" broken
	is "and no line of the log" "$(cat "$W"/nginx/log/*error.log | grep -c SSL_do_handshake)" 0
else
	skip "a broken handshake: no nc"
fi
http GET /v1/time >/dev/null
like "browsers stay with TLS" "$(head_of Strict-Transport-Security)" '^max-age=[1-9]'
is "no version of nginx is told" "$(head_of Server)" nginx

if has_ipv6; then
	ok "IPv6, TLS" tls --connect-to "::[::1]:$TLS_PORT" "$URL/v1/time"
	is "no TLS without a name there either" "$(tls "https://[::1]:$TLS_PORT/v1/time" 2>/dev/null || echo "curl $?")" "curl 35"
	ok "IPv6 behind a load balancer" curl -sS -o /dev/null --max-time 10 "http://[::1]:$ALB_PORT/v1/time"
else
	skip "IPv6: there is none here"
fi

fields=
for i in $(seq 1 300); do fields="$fields -H X-Field-$i:$i"; done
# shellcheck disable=SC2086	# word by word
http POST /v1/events --data-binary '{"fields":300}' $fields >/dev/null
is "300 header fields are not too many" "$(status)" 202

# --- the log ----------------------------------------------------------------------

# Of all answers one in a hundred: a line of interest is asked for until it is there.
logged() { grep -F '"user_agent":"who' "$LOG" | head -n 1 >"$W/line"; [ -s "$W/line" ]; }
hushed() {
	set --
	while [ $# -lt 50 ]; do set -- "$@" "$URL/v1/events?writeKey=hush"; done
	curl -sS --max-time 20 --cacert "$W/nginx/tls/cert.pem" --data-binary '{"hush":' -H 'Authorization: Bearer hush' \
		-H 'X-Api-Key: hush' -H 'Idempotency-Key: hush' -A 'who "asks"' "$@" >/dev/null
	logged
}
ok "a request is logged, by and by" wait_until 60 hushed
field() { sql "SELECT \$j\$$(cat "$W/line")\$j\$::jsonb ->> '$1'"; }
is "as JSON" "$(field user_agent)" 'who "asks"'
is "its path without the query" "$(field path)" /v1/events
ok "with an id" grep -Eq '"request_id":"[0-9a-f]{32}"' "$W/line"
is "and nothing secret" "$(grep -c hush "$LOG")" 0

# Which may be none of a hundred but not of thousands.
some() { n=$(grep -c "\"status\":$1" "$LOG"); [ "$n" -ge 5 ] && [ "$n" -le 250 ]; }
ok "5,000 requests" load -c 16 --rate 1000 --requests 5000
ok "of those accepted a sample is logged" wait_until 30 some 202
LOAD_PATH=/v1/time
ok "5,000 that are refused" load -c 16 --rate 1000 --requests 5000 --expect 405
unset LOAD_PATH
ok "of those a sample, too" wait_until 30 some 405

# What is the client's in a line is cut, and within no character.
sed -i 's/ if=$forebay_logged//' "$CONF/sites.conf"
kill -HUP "$(pid_of nginx)"
long() { awk -v s="$1" -v n="$2" 'BEGIN { while (n--) printf "%s", s }'; }
long_one() {
	http GET "/$(long p 3000)" -A "x$(long ü 500)" >/dev/null
	grep -F '"user_agent":"xü' "$LOG" | tail -n 1 >"$W/line"
	[ -s "$W/line" ]
}
ok "without if= each request is logged" wait_until 30 long_one
is "the path is cut at 256 bytes" "$(field path)" "/$(long p 255)"
is "the agent before the character that does not fit" "$(field user_agent)" "x$(long ü 127)"

# --- who ends his sending side -------------------------------------------------------

stored() { journal_tool segments "$J" | awk '{ n += $3 } END { print n + 0 }'; }
plain_load() { URL=http://127.0.0.1:$ALB_PORT load "$@"; }
before=$(stored)
ok "200 that half-close, over TLS: all are answered" load -c 8 --requests 200 --half-close
ok "200 over plain HTTP, too" plain_load -c 8 --requests 200 --half-close
is "and stored" "$(stored)" $((before + 400))

# --- behind a load balancer ---------------------------------------------------------

# each of them is logged since the sample was turned off above
alb() { curl -sS -o /dev/null --max-time 10 "http://127.0.0.1:$ALB_PORT$1" -H "X-Forwarded-For: $2"; }
client_of() { sed -n "s|.*\"client\":\"\([^\"]*\)\".*\"path\":\"$1\".*|\1|p" "$LOG"; }
client_is() { [ "$(client_of "$1")" = "$2" ]; }
alb /one 203.0.113.9
ok "the client is the load balancer's" wait_until 30 client_is /one 203.0.113.9
alb /two '192.0.2.66, 203.0.113.9'
ok "not what the client says it is" wait_until 30 client_is /two 203.0.113.9
alb /three '203.0.113.9, 127.0.0.77'
ok "not one balancer behind another" wait_until 30 client_is /three 203.0.113.9

# --- whose requests count together -----------------------------------------------------

# Addresses of IPv6 with many zeros, each by way of a load balancer: two have one name
# exactly if they have one /64.
cat >"$CONF/whose.conf" <<-END
	server {
		listen unix:$W/run/whose.sock;
		set_real_ip_from unix:;
		real_ip_header X-Forwarded-For;
		access_log off;
		location / { return 200 "\$remote_addr \$forebay_client\n"; }
	}
END
sed -i "s|include .*/sites.conf;|&include $CONF/whose.conf;|" "$W/nginx/nginx.conf"
kill -HUP "$(pid_of nginx)"
whose() { curl -sS --max-time 20 --unix-socket "$W/run/whose.sock" "$@"; }
ok "nginx says whose it is" wait_until 30 whose -f http://x/
awk -v seed="$SEED" -v socket="$W/run/whose.sock" 'BEGIN {
	srand(seed)
	split("0 0 0 1 db8 ffff", group, " ")
	while (n < 500) {
		net = a = ""
		for (i = 1; i <= 8; i++) {
			a = a (i > 1 ? ":" : "") group[1 + int(rand() * 6)]
			if (i == 4)
				net = a
		}
		if (net == "0:0:0:0")		# where IPv4 is written into IPv6
			continue
		printf "%sunix-socket = \"%s\"\nurl = \"http://x/\"\nheader = \"X-Forwarded-For: %s\"\n", n++ ? "next\n" : "", socket, a
	}
}' | curl -sS -K - >"$W/whose"
is "500 addresses" "$(wc -l <"$W/whose")" 500
is "one name for each /64, and no two" "$({
	echo 'SELECT count(DISTINCT net) > 50, count(DISTINCT net) = count(DISTINCT (net, name)), count(DISTINCT net) = count(DISTINCT name)'
	echo 'FROM (SELECT network(set_masklen(a::inet, 64)) AS net, name FROM (VALUES'
	sed "s/\(.*\) \(.*\)/('\1','\2'),/; \$ s/,\$//" "$W/whose"
	echo ') AS v(a, name)) AS x;'
} | sql_script)" "t|t|t"
is "IPv4 is each for itself" "$(whose http://x/ -H 'X-Forwarded-For: 203.0.113.9')" "203.0.113.9 203.0.113.9"
done_testing
