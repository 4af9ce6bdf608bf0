#!/bin/sh
# Settings, keys, certificate and program are replaced under load, and no request
# fails; where nginx reads certificates at its start and is reloaded, clients send again
# what an idle connection that closes has cut off. Three times each at 1,000 requests a second, with
# FULL=1 twenty times at 5,000 and with nginx's times as shipped.
. "$(dirname "$0")/lib.sh"
if [ "${FULL:-}" ]; then TIMES=20 RATE=5000; else TIMES=3 RATE=1000; fi
world
database
sed -i "s|^keys =.*|keys = $W/keys|" "$W/forebay.conf"
KEY=$(forebay key new other 2>/dev/null)
LOAD_PATH="/v1/events?key=$(forebay key new --name load shop 2>/dev/null)"

# a certificate that can be renewed: its issuer stays
issuer() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=issuer \
		-keyout "$W/issuer.key" -out "$W/issuer.pem" 2>>"$W/log/openssl.log"
}
renew() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
		-keyout "$W/key.new" -out "$W/request" 2>>"$W/log/openssl.log" &&
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' >"$W/san" &&
	openssl x509 -req -in "$W/request" -CA "$W/issuer.pem" -CAkey "$W/issuer.key" -days 2 \
		-extfile "$W/san" -out "$W/cert.new" 2>>"$W/log/openssl.log" &&
	chmod a+r "$W/issuer.pem" && install_certificate "$W/cert.new" "$W/key.new"
}
install_certificate() {
	NGINX_GROUP=$(id -gn "$USER_NAME") "$top_srcdir/conf/examples/install-certificate" "$1" "$2" "$W/nginx/tls"
}
issuer && renew || bail "no certificate"

as mkdir "$W/prog"
install_program() {
	as cp "$BIN/forebayd" "$W/prog/forebayd.new" && as mv "$W/prog/forebayd.new" "$W/prog/forebayd"
}
install_program
FOREBAYD=$W/prog/forebayd
collector
if [ "${FULL:-}" ]; then nginx; else nginx 'keepalive_timeout 500ms;' 'keepalive_time 1s;'; fi
flusher
MASTER=$(pid_of collect)

acked_more() { [ "$(grep -c ^A "$W/oracle")" -gt "$1" ]; }
generations() { grep -c ' ready workers=' "$W/log/collect.log"; }
generation_is() { [ "$(generations)" -ge "$1" ]; }
# roll: SIGHUP, until new workers are ready and take what comes
roll() {
	local next=$(($(generations) + 1))
	kill -HUP "$MASTER"
	wait_until 40 generation_is $next
}
settings() {
	if [ $(($1 % 2)) = 1 ]; then limit=1; else limit=500; fi
	sed -i "/^events = /d; s|^\[collect\]|&\nevents = $limit|" "$W/forebay.conf"
	roll && wait_until 30 limit_is $limit
}
limit_is() {	# two events are one too many, or not
	post '[{"x":1},{"x":2}]' -H "x-api-key: $KEY" >/dev/null
	case $1 in 1) [ "$(status)" = 413 ] ;; *) [ "$(status)" = 202 ] ;; esac
}
keys() {
	local key
	key=$(forebay key new --name "k$1" other 2>/dev/null)
	wait_until 30 key_is 202 "$key" || return 1
	grep -v " k$1 " "$W/keys" | as tee "$W/keys.new" >/dev/null
	as mv "$W/keys.new" "$W/keys"
	wait_until 30 key_is 401 "$key"
}
key_is() {
	post '{"x":1}' -H "x-api-key: $2" >/dev/null
	[ "$(status)" = "$1" ]
}
certificate() { renew && wait_until 30 serves "$W/nginx/tls/cert.pem"; }
nginx_reload() { renew && kill -HUP "$(pid_of nginx)" && wait_until 30 serves "$W/nginx/tls/cert.pem"; }
serves() {
	[ "$(openssl s_client -connect "localhost:$PORT" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint)" = \
		"$(openssl x509 -noout -fingerprint -in "$1")" ]
}
program() {
	install_program && roll && [ "$(stat -L -c %i "/proc/$MASTER/exe")" = "$(stat -c %i "$W/prog/forebayd")" ]
}

# shellcheck disable=SC2086	# pids, word by word
all_gone() { for p in $1; do gone "$p" || return 1; done; }

cp "$W/nginx/tls/key.pem" "$W/key.kept"
install_certificate "$W/cert.new" "$W/issuer.key" 2>/dev/null && fail "another's key is refused" ||
	pass "another's key is refused"
ok "and the one in force stays" cmp "$W/nginx/tls/key.pem" "$W/key.kept"
is "others cannot read the key" "$(stat -Lc %a "$W/nginx/tls/key.pem" | cut -c 3)" 0

WORKERS=$(children "$MASTER")
load_start --rate $RATE --seconds 900 --ca "$W/issuer.pem" --oracle "$W/oracle"
wait_until 30 acked_more 100
repeat() {	# repeat WHAT
	local i=1 began seen
	began=$(now_ms) seen=$(cat "$W"/oracle* | grep -c ^A)
	while [ $i -le $TIMES ] && $1 $i; do i=$((i + 1)); done
	is "$1: $TIMES times" $((i - 1)) $TIMES
	note "$1: $(($(now_ms) - began)) ms, $(($(cat "$W"/oracle* | grep -c ^A) - seen)) requests answered"
}
for what in settings keys certificate program; do repeat $what; done
seen=$(cat "$W"/oracle* | grep -c ^A)
ok "requests go on" wait_until 30 acked_more $((seen + RATE))
kill -TERM "$LOAD"
load_end "no request failed"

is "the last two certificates are kept" "$(find "$W/nginx" -name 'tls.??????' | wc -l)" 2

sed -i "s|\(ssl_certificate[_key]*\) .*/|\1 $W/nginx/tls/|" "$W/nginx/conf/site.conf"
is "two files by name" "$(grep -c "ssl_certificate.*$W/nginx/tls/" "$W/nginx/conf/site.conf")" 2
old=$(children "$(pid_of nginx)")
kill -HUP "$(pid_of nginx)"
ok "which nginx takes" wait_until 30 all_gone "$old"
load_start --rate $RATE --seconds 900 --again --ca "$W/issuer.pem" --oracle "$W/oracle.2"
wait_until 30 test -s "$W/oracle.2"
repeat nginx_reload
kill -TERM "$LOAD"
load_end "nginx reloads: no request failed, those sent again included"
ok "the same master" alive "$MASTER"
ok "the first workers have left" wait_until 40 all_gone "$WORKERS"
two_left() { [ "$(children "$MASTER" | wc -w)" = 2 ]; }
ok "only the newest are there" wait_until 40 two_left
is "none died" "$(grep 'worker.died\|worker.killed' "$W/log/collect.log")" ""
ok "the flusher stops" stop flush TERM 20
ok "and leaves nothing behind" drained
ok "each event once" verify --no-duplicates "$W/oracle" "$W/oracle.2"
done_testing
