#!/bin/sh
# forebay as systemd runs it, in a machine that boots: start by the socket, reload,
# crashes, watchdog, stop and reboot under load, over TLS, with keys, into PostgreSQL
# with a password. What was answered with 2xx stands there once at the end.
. "$(dirname "$0")/../integration/lib.sh"
. "$(dirname "$0")/../tools/debian.sh"
. "$(dirname "$0")/machine.sh"
RATE=${RATE:-600}
machine_make
LOADS=0

# --- what an administrator writes ---------------------------------------------------

prefix=$(sed -n 's|^ExecStart=\(.*\)/sbin/forebayd$|\1|p' "$(find "$M" -name forebay.service)")
share=$prefix/share/forebay
mkdir -p "$M/etc/forebay" "$M/etc/credstore" "$M/opt/test/tls"
cat >"$M/etc/forebay/forebay.conf" <<-END
	[collect]
	workers = 2
	[journal]
	segment_age = 5s
	floor_bytes = 64M
	[flush]
	conninfo = host=127.0.0.1 user=flusher dbname=forebay
	batch_age = 50ms
END
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$M/opt/test/tls/key.pem" \
	-out "$M/opt/test/tls/cert.pem" 2>"$W/log/openssl.log" || bail "no certificate"
sed 's/events\.example\.com;/localhost;/' "$M$share/nginx/forebay-tls.conf" >"$M/etc/nginx/conf.d/forebay.conf"
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
(umask 077 && echo "$password" >"$M/etc/credstore/forebay.pgpassword")
useradd -R "$M" -M alice && useradd -R "$M" -M bob
machine_boot

psql() { inside_as postgres psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
sql() { psql -d "${DB:-forebay}" -c "$1"; }
forebay() { inside "$prefix/bin/forebay" "$@"; }
property() { inside systemctl show -P "$2" "$1"; }
master() { property forebay.service MainPID; }
state() { inside systemctl is-active "$@" | tr '\n' ' '; }
active() { [ "$(state "$@" | tr ' ' '\n' | sort -u | tr -d '\n')" = active ]; }
post() {
	inside curl -sS -o /dev/null -w '%{http_code}' --max-time 30 --cacert /etc/nginx/forebay-tls/cert.pem \
		-H "Authorization: Bearer $KEY" -d "$1" https://localhost/v1/events
}
# load_start STATUSES; load_end WHAT. A service of the machine's own, that a
# shutdown ends after the others.
load_start() {
	LOADS=$((LOADS + 1))
	inside systemd-run -q -p Before='nginx.service forebay.socket' -p TimeoutStopSec=5 --unit="load$LOADS" \
		sh -c '"$@" >/opt/test/load.json 2>/opt/test/load.log; echo $? >/opt/test/status' sh \
		/opt/test/load --ca /etc/nginx/forebay-tls/cert.pem -c 32 --seconds 900 --rate "$RATE" --grace 30 \
		--expect "$1" --oracle "/opt/test/oracle$LOADS" "https://127.0.0.1/v1/events?key=$SHOP" ||
		bail "no load"
}
# flows [N]: that many more are acknowledged, half a second's
acked() { grep -c ^A "$M/opt/test/oracle$LOADS" 2>/dev/null; }
acked_more() { [ "$(acked)" -ge "$1" ]; }
flows() { wait_until 60 acked_more $(($(acked) + ${1:-300})) || fail "events do not get through"; }
load_end() {
	inside pkill -x load
	wait_until 100 test -s "$M/opt/test/status"
	is "$1" "$(cat "$M/opt/test/status")" 0
	note "$(cut -c 1-400 "$M/opt/test/load.json") $(cut -c 1-200 "$M/opt/test/load.log")"
	rm -f "$M/opt/test/status"
}
drained() {
	inside_as forebay /opt/test/journal_tool last /var/lib/forebay/journal >"$W/last" || return 1
	sql "SELECT segment || ' ' || last_seq FROM forebay.progress" >"$W/done" || return 1
	awk 'FILENAME == ARGV[1] { done[$1] = $2; next } NF && done[$1] + 0 < $2 { bad = 1 } END { exit bad }' \
		"$W/done" "$W/last"
}

# --- start --------------------------------------------------------------------------

ok "the certificate is installed" inside "$share/examples/install-certificate" /opt/test/tls/cert.pem /opt/test/tls/key.pem
inside systemctl start forebay.socket || bail "the socket does not start"
psql -d postgres -c "CREATE ROLE forebay LOGIN SUPERUSER" -c "CREATE DATABASE forebay OWNER forebay"
ok "forebay db migrate" inside_as forebay "$prefix/bin/forebay" db migrate --conninfo dbname=forebay
psql -d postgres -c "CREATE ROLE flusher LOGIN PASSWORD '$password' IN ROLE forebay_flusher"
SHOP=$(forebay key new shop 2>/dev/null)
KEY=$(forebay key new hello 2>/dev/null)
like "root makes a key" "$KEY" '^fbk_'
is "the socket waits, the collector sleeps" "$(state forebay.socket forebay.service)" "active inactive "
is "the first event over TLS starts it" "$(post '{"id":"first","type":"hello"}')" 202
ok "and it is up" wait_until 60 active forebay.service
ok "the target enables and starts the rest" inside systemctl enable --now forebay.target
ok "all are up" wait_until 60 active forebay.socket forebay.service forebay-flusher.service
first() { [ "$(sql "SELECT count(*) FROM forebay.event WHERE id = 'first'")" = 1 ]; }
ok "it stands in PostgreSQL, by the password in the credential" wait_until 60 first
is "systemd has nothing to complain of" "$(inside systemctl --failed --no-legend --plain)" ""

# --- who may do what ----------------------------------------------------------------

inside usermod -aG forebay alice
ok "the group runs stats" inside_as alice "$prefix/bin/forebay" stats
is "the group runs query" "$(inside_as alice "$prefix/bin/forebay" query \
	"select count(*) from event where id = 'first'")" 1
out=$(inside_as bob "$prefix/bin/forebay" query "select 1" 2>&1) && fail "others do not" || pass "others do not"
like "they are told who may, in one line" "$out" '^/etc/forebay/forebay.conf: .*group forebay'
is "and no more" "$(printf '%s\n' "$out" | wc -l)" 1
out=$(inside_as alice "$prefix/bin/forebay" key new shop 2>&1) && fail "only root makes keys" || pass "only root makes keys"
ok "exposure of the collector at most 0.5" inside systemd-analyze security --no-pager --threshold=5 forebay.service
ok "exposure of the flusher at most 1.5" inside systemd-analyze security --no-pager --threshold=15 forebay-flusher.service
for unit in forebay.service forebay-flusher.service; do
	note "$(inside systemd-analyze security --no-pager $unit | tail -n 1)"
done
is "nginx's complaints, with beacons' keys, are not for everybody" \
	"$(inside stat -c '%a %U %G' /var/log/nginx/forebay-error.log)" "640 root adm"
is "the collector has no network" "$(inside nsenter -t "$(master)" -n ls /sys/class/net)" lo

# --- under load ---------------------------------------------------------------------

pid=$(master)
load_start 202
for i in 1 2 3 4 5; do
	flows
	ok "reload $i" inside systemctl reload forebay.service
done
ok "reload of the flusher" inside systemctl reload forebay-flusher.service
load_end "no request fails while the collector reloads"
is "it stayed one process" "$(master)" "$pid"

restarts() { property "$1" NRestarts; }
restarted() { [ "$(restarts "$1")" -gt "$2" ] && active "$1"; }
load_start 202,503
flows
worker=$(inside pgrep -P "$(master)" | tail -n 1)		# not one that leaves anyway
ok "a worker is killed" inside kill -9 "$worker"
flows
n=$(restarts forebay-flusher.service)
inside systemctl kill --kill-whom=main -s KILL forebay-flusher.service
ok "a killed flusher is started again" wait_until 60 restarted forebay-flusher.service "$n"
n=$(restarts forebay.service)
is "a killed worker is no matter for systemd" "$n" 0
inside systemctl kill --kill-whom=main -s KILL forebay.service
ok "a killed master is started again" wait_until 60 restarted forebay.service "$n"
load_end "through crashes of worker, flusher and master every request is answered"

n=$(restarts forebay.service)
load_start 202,503
inside systemctl kill --kill-whom=main -s STOP forebay.service
ok "a master that hangs is started again by the watchdog" wait_until 60 restarted forebay.service "$n"
like "by the watchdog, not its time-out" "$(inside journalctl -q -u forebay.service -o cat -n 200)" \
	'Watchdog timeout'
# the same load goes on
ok "stop" inside systemctl stop forebay.target forebay.socket
is "all are down" "$(state forebay.socket forebay.service forebay-flusher.service)" "inactive inactive inactive "
last_words() { inside journalctl -q -b "$1" -u forebay-flusher.service -g '^flush\.stopped' -o cat | tail -n 1; }
is "the flusher was the last and left nothing behind" "$(last_words 0)" "flush.stopped pending=0"
ok "nothing at all" drained
ok "start" inside systemctl start forebay.target
ok "restart" inside systemctl restart forebay.target forebay.socket
ok "all are up again" wait_until 60 active forebay.socket forebay.service forebay-flusher.service
flows
load_end "through watchdog, stop and start every request is answered"

# nobody who starts waits for PostgreSQL
inside systemctl stop postgresql@15-main.service postgresql.service
is "without PostgreSQL events are taken" "$(post '{"id":"alone"}')" 202
pid=$(master)
inside systemctl --no-block restart forebay-flusher.service forebay.service
anew() { [ "$(master)" != "$pid" ] && active forebay.service; }
ok "the collector starts anew" wait_until 60 anew
is "while the flusher still tries to empty the journal" "$(state forebay-flusher.service)" "deactivating "
is "and takes events" "$(post '{"id":"alone","n":2}')" 202
inside systemctl start postgresql
ok "then the flusher starts anew too" wait_until 60 active forebay-flusher.service

load_start 202,503,lost
flows 1500
machine_reboot || bail "the machine does not boot again"
pass "reboot"
rm -f "$M/opt/test/status"		# the load ended with its machine
is "the flusher was the last, before PostgreSQL" "$(last_words -1)" "flush.stopped pending=0"
ok "everything is up by itself" wait_until 60 active forebay.target forebay.socket forebay.service \
	forebay-flusher.service nginx.service
load_start 202
flows 1000
load_end "and takes events"
is "with nothing to complain of" "$(inside systemctl --failed --no-legend --plain)" ""

# --- what came of it ----------------------------------------------------------------

ok "all is flushed" wait_until 60 drained
inside sh -c 'mkdir -p /opt/test/w && chown forebay /opt/test/w && ln -sfn /run/postgresql /opt/test/w/run'
out=$(inside env W=/opt/test/w J=/var/lib/forebay/journal PG=/usr/bin TOOLS=/opt/test AS='runuser -u forebay --' \
	sh -c 'sh /opt/test/verify.sh /opt/test/oracle?' 2>&1) && pass "each acknowledged event once, none twice" ||
	fail "each acknowledged event once, none twice"
note "$out"

entries() { inside journalctl -q -o json --output-fields=PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,MESSAGE "$@"; }
entries -u forebay.service -g '^worker\.died' | tail -n 1 >"$W/died"
like "a died worker is an error in journald" "$(cat "$W/died")" '"PRIORITY":"3"'
like "under its program's name" "$(cat "$W/died")" '"SYSLOG_IDENTIFIER":"forebayd"'
like "and unit" "$(cat "$W/died")" '"_SYSTEMD_UNIT":"forebay\.service"'
like "the message has its fields" "$(cat "$W/died")" '"MESSAGE":"worker\.died worker=[0-9]+ signal=9"'
like "a start is information" "$(entries -u forebay.service -g '^start ' -n 1)" '"PRIORITY":"6"'
like "the flusher's too" "$(entries -u forebay-flusher.service -g '^flush\.connected' -n 1)" '"PRIORITY":"6"'
is "the system-call filter killed nobody" "$(inside journalctl -q -g 'code=(killed|dumped), status=31' -o cat)" ""

# --- a second one on the same host ---------------------------------------------------

psql -d postgres -c "CREATE DATABASE second OWNER forebay"
inside sh -c 'cat >/etc/forebay/second.conf' <<-END
	[collect]
	keys =
	workers = 1
	socket = /run/forebay/second/forebay.sock
	[journal]
	dir = /var/lib/forebay/second/journal
	floor_bytes = 64M
	[flush]
	conninfo = host=127.0.0.1 user=flusher dbname=second
	[run]
	dir = /run/forebay/second
END
inside cp /etc/credstore/forebay.pgpassword /etc/credstore/forebay-second.pgpassword
inside_as forebay "$prefix/bin/forebay" -c /etc/forebay/second.conf db migrate --conninfo dbname=second >/dev/null
# user forebay owns /run/forebay, and may have left anything there before the first start
inside_as forebay ln -s /opt /run/forebay/second
inside systemctl start forebay@second.socket >/dev/null 2>&1
is "a link in the place of its folder: root does not follow it" \
	"$(stat -c %U "$M/opt") $(inside systemctl is-active forebay@second.socket)" "root failed"
inside_as forebay rm /run/forebay/second
inside systemctl reset-failed forebay@second.socket
ok "an instance starts" inside systemctl enable --now forebay@second.target
ok "with its own units" wait_until 60 active forebay@second.socket forebay@second.service forebay-flusher@second.service
out=$(inside /opt/test/fcgi_req /run/forebay/second/forebay.sock 'post:{"id":"other"}' answer 2>&1)
like "takes an event" "$out" 'Status: 202'
second() { [ "$(DB=second sql "SELECT count(*) FROM forebay.event WHERE id = 'other'")" = 1 ]; }
ok "into its own database" wait_until 60 second
is "the first one does not get it" "$(sql "SELECT count(*) FROM forebay.event WHERE id = 'other'")" 0
is "of the first one's journal it sees nothing" "$(inside nsenter -t "$(property forebay@second.service MainPID)" -m \
	ls /var/lib/forebay)" second
ok "it stops alone" inside systemctl stop forebay@second.target forebay@second.socket
is "and is down" "$(state forebay@second.socket forebay@second.service forebay-flusher@second.service)" \
	"inactive inactive inactive "
ok "the first one is up" active forebay.service forebay-flusher.service forebay.socket

ok "the machine shuts down" machine_off
done_testing
