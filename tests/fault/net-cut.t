#!/bin/sh
# The network between flusher and PostgreSQL goes away in the middle of a transaction:
# the link goes down, or packets vanish in silence. The flusher waits a cut out, notices
# one that lasts by its own time-outs, and goes on where PostgreSQL says. Each side is in
# a network namespace of its own, with a bridge between them in a third.
# FULL=1: also a cut that lasts longer than the time-outs that are set unless asked for.
. "$(dirname "$0")/../integration/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root: network namespaces"
command -v ip >/dev/null && command -v nsenter >/dev/null || skip_all "no ip or nsenter (Debian: iproute2, util-linux)"
unshare -n ip link add name hub type bridge 2>/dev/null || skip_all "no network namespaces with a bridge here"
world
database
stops

# The namespaces live as long as these; with them everything in them goes.
for ns in near wire far; do
	(exec setsid unshare -n sleep 600) </dev/null >/dev/null 2>&1 &
	echo $! >"$W/$ns.pid"
done
other_net() { [ "$(readlink "/proc/$(pid_of "$1")/ns/net")" != "$(readlink /proc/$$/ns/net)" ]; }
for ns in near wire far; do wait_until 30 other_net $ns || bail "no namespace"; done
net() { local ns=$1; shift; nsenter --net="/proc/$(pid_of "$ns")/ns/net" -- "$@"; }
# inside NAMESPACE FUNCTION ...: what it spawns runs there
inside() {
	local keep=$AS ns=$1
	shift
	AS="nsenter --net=/proc/$(pid_of "$ns")/ns/net -- $keep"
	"$@"
	AS=$keep
}
lay() {
	net wire ip link add name hub type bridge && net wire ip link set dev hub up || return 1
	for ns in near far; do
		net wire ip link add $ns type veth peer name eth0 netns "$(pid_of $ns)" &&
		net wire ip link set dev $ns master hub up && net $ns ip link set lo up &&
		net $ns ip link set dev eth0 up || return 1
	done
	net near ip address add 10.77.0.1/24 dev eth0 && net far ip address add 10.77.0.2/24 dev eth0
}
lay || bail "no network between the namespaces"

pg_stop
echo "host all all 10.77.0.0/24 trust" >>"$W/pg/pg_hba.conf"
echo "listen_addresses = '10.77.0.2'" >>"$W/pg/postgresql.conf"
inside far pg_start
collector -o journal.segment_age=2s
nginx

# cut HOW: link, or silence; mend HOW
cut_now() { case $1 in link) net near ip link set dev eth0 down ;; silence) net wire ip link set dev hub down ;; esac; }
mend() { case $1 in link) net near ip link set dev eth0 up ;; silence) net wire ip link set dev hub up ;; esac; }
# cut_at GATE HOW: when the flusher stands at the gate, which then opens
cut_at() {
	rm -f "$W/held" "$W/cut"
	# an earlier cut's locks may stand for half a minute, and the flusher before them
	while [ ! -e "$W/held" ] && [ ! -e "$W/cut" ]; do
		at "$1" "\\! touch $W/held; until [ -e $W/cut ]; do sleep 0.02; done" 2>/dev/null
	done &
	at=$!
	wait_until 60 test -e "$W/held" || fail "the flusher comes to gate $1"
	LINE=$(($(wc -l <"$W/log/flush.log") + 1))
	cut_now "$2"
	touch "$W/cut"
	wait $at
}
events() { sql "SELECT count(*) FROM forebay.event"; }
grows() { wait_until "$1" sql_is "SELECT count(*) > $(events) + 200 FROM forebay.event" t; }
noticed() { tail -n +"$LINE" "$W/log/flush.log" | grep -q flush.wait; }
flush_with() { inside near flusher -o flush.batch_age=20ms -o flush.batch_rows=300 -o flush.conninfo="host=10.77.0.2 user=flusher dbname=forebay $*"; }

load_start --rate 500 --seconds 300 --oracle "$W/oracle"
flush_with
ok "rows arrive over the network" grows 15

# a short one: TCP sends again, and nothing needs to be done
for how in link silence; do
	cut_at 1 $how
	sleep 2
	mend $how
	ok "$how, 2 s in mid-COPY: rows arrive again" grows 15
	ok "by the same connection" sh -c "! tail -n +$LINE '$W/log/flush.log' | grep -q flush.wait"
done

# a long one, and a flusher that is told to be quick to notice
stop flush KILL
flush_with "tcp_user_timeout=2000 keepalives_idle=1 keepalives_interval=1 keepalives_count=2 connect_timeout=2"
ok "another flusher goes on" grows 15
for gate in 1 2 3; do
	cut_at $gate silence
	ok "silence at gate $gate: it is noticed" wait_until 30 noticed
	mend silence
	# a backend may hold its locks until its keepalives find out: 30 s
	ok "rows arrive again" grows 60
done

# the same with what is set unless asked for
lasting() {			# lasting GATE WHAT
	local since
	cut_at "$1" silence
	since=$(date +%s)
	ok "$2: it is noticed" wait_until 90 noticed
	note "after $(($(date +%s) - since)) s"
	mend silence
	since=$(date +%s)
	ok "rows arrive again" grows 60
	note "$(($(date +%s) - since)) s after the network"
}
if [ -n "${FULL:-}" ]; then
	stop flush KILL
	flush_with
	grows 15
	for gate in 1 2 3; do
		lasting $gate "silence at gate $gate, default time-outs"
	done
	# more than the kernels hold: the server waits for data, with the segments' locks
	stop flush KILL
	load --bytes 400000 --requests 40 --oracle "$W/oracle2"
	flush_with
	lasting 1 "silence while rows are sent, default time-outs"
fi
kill $LOAD 2>/dev/null
load_end "no answer but 202"
ok "everything arrives" wait_drained 60
is "nothing was quarantined, no alarm" "$(sql "SELECT count(*) FROM forebay.quarantine") $(grep -c flush.alarm "$W/log/flush.log")" "0 0"
verify "each acknowledged event once" --no-duplicates "$W"/oracle*
done_testing
