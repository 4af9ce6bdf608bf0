#!/bin/bash
# WHAT: rsyslogd that is stopped while an action with its own queue fails forgets the batch that
#   the action had in hand: queue.saveOnShutdown="on" writes the rest of the queue to disk, and after
#   the next start everything comes but that batch. A longer queue.timeoutActionCompletion changes nothing.
# VERSIONS: rsyslog 8.2302.0-1+deb12u2 (Debian 12), omprog with confirmMessages and useTransactions.
# GUESS: the batch is unacknowledged (the program answered each commit with an error), so it is still in
#   the queue, and saveOnShutdown saves the queue. The log says "need to do hard cancellation" and, a line
#   before, "some data may be lost".
# SEEN (2026-11-28):
#   saveOnShutdown=on, other settings as they are:        10 of 40 lines lost
#   and queue.timeoutActionCompletion=20000 (1000):       10 of 40 lines lost
# FOREBAY: conf/examples/forebay-omprog keeps a batch in a file until it was taken, and sends what a
#   process before it left there; doc/clients/rsyslog.md.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
DAEMON=''
cleanup() {
	[ -z "$DAEMON" ] || kill -KILL "$DAEMON" 2>/dev/null || true
	rm -rf "$W"
}
trap cleanup EXIT
cd "$W"
apt-get -q download rsyslog=8.2302.0-1+deb12u2 libestr0=0.1.11-1 libfastjson4=1.2304.0-1 \
    liblognorm5=2.0.6-4 >"$W/apt.log" 2>&1 || { echo "apt-get cannot download rsyslog 8.2302.0-1+deb12u2"; exit 69; }
for p in *.deb; do dpkg -x "$p" "$W"; done
LIB=$W/usr/lib/x86_64-linux-gnu

# Takes no batch while the file "away" is there.
cat >slow <<'END'
#!/bin/bash
trap '' TERM INT
echo OK
while IFS= read -r line; do
	case $line in
	BEGIN*) batch=''; echo OK ;;
	COMMIT*) [ ! -e "${0%/*}/away" ] || { : >"$0.asked"; sleep 1; echo 'Error: not now'; continue; }; printf %s "$batch" >>"$0.took"; echo OK ;;
	*) batch+=$line$'\n'; echo DEFER_COMMIT ;;
	esac
done
END
chmod +x slow
config() {	# MORE-OF-THE-QUEUE
	cat >conf <<-END
		global(workDirectory="$W/state")
		module(load="imuxsock" SysSock.Use="off")
		module(load="omprog")
		input(type="imuxsock" Socket="$W/log" RateLimit.Interval="0")
		template(name="line" type="string" string="%msg%\n")
		action(type="omprog" template="line" binary="$W/slow" confirmMessages="on" useTransactions="on"
		       action.resumeRetryCount="-1" signalOnClose="off"
		       queue.type="LinkedList" queue.filename="q" queue.saveOnShutdown="on"
		       queue.dequeueBatchSize="10" $1)
	END
}
start() {
	rm -f "$W/log"
	LD_LIBRARY_PATH=$LIB "$W/usr/sbin/rsyslogd" -n -iNONE -M"$LIB/rsyslog/" -f "$W/conf" >>"$W/rsyslogd.log" 2>&1 &
	DAEMON=$!
	for _ in {1..100}; do [ -S "$W/log" ] && return; sleep 0.1; done
	echo "rsyslogd does not start"; exit 69
}
stop() {
	kill -TERM "$DAEMON"
	wait "$DAEMON" || true
	DAEMON=''
}
# lost MORE-OF-THE-QUEUE: sends 40 lines while nobody takes them, stops rsyslogd, starts it
# again, and says how many never came
lost() {
	rm -rf state slow.took slow.asked
	mkdir state
	config "$1"
	start
	: >away
	seq 40 | logger -d -u "$W/log" -t app
	for _ in {1..100}; do [ -e slow.asked ] && break; sleep 0.1; done	# the first batch is in its hands
	stop
	rm away
	start
	for _ in {1..250}; do [ "$(sort -u slow.took 2>/dev/null | wc -l)" -lt 40 ] || break; sleep 0.1; done
	stop
	echo $((40 - $(sort -u slow.took | wc -l)))
}
DEFAULT=$(lost '')
LONGER=$(lost 'queue.timeoutActionCompletion="20000"')
echo "saveOnShutdown=on, other settings as they are:        $DEFAULT of 40 lines lost"
echo "and queue.timeoutActionCompletion=20000 (1000):       $LONGER of 40 lines lost"
grep -ho "some data may be lost\|hard cancellation" rsyslogd.log | sort | uniq -c
[ "$DEFAULT" -gt 0 ] && [ "$LONGER" -gt 0 ] || { echo "changed: a batch in hand is kept"; exit 1; }
