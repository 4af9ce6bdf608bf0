# shellcheck shell=bash
# forebayd and forebay-flusher under scripts/supervise; processes by their pids.

# pid_checked PID TEXT: prints PID if that process is alive and TEXT is in its
# command line. A pid alone proves nothing: pids are used again.
pid_checked() {
	[[ $1 =~ ^[0-9]+$ ]] && tr '\0' ' ' 2>/dev/null </proc/"$1"/cmdline | grep -qF -- "$2" && echo "$1"
} 2>/dev/null

# wait_gone PID TEXT SECONDS
wait_gone() {
	local end=$((SECONDS + $3))
	while pid_checked "$1" "$2" >/dev/null; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# group_end PGID TEXT: ends what a leader that was killed left behind; nobody gets its
# pid while a group bears it.
group_end() {
	local stat line field
	for stat in /proc/[0-9]*/stat; do
		read -r line 2>/dev/null <"$stat" || continue
		read -ra field <<<"${line##*) }"	# state, parent, group ...
		[ "${field[2]}" = "$1" ] || continue
		stat=${stat%/stat}
		! pid_checked "${stat#/proc/}" "$2" >/dev/null || kill -KILL "${stat#/proc/}"
	done
} 2>/dev/null

daemon_pid() {		# NAME
	pid_checked "$(as cat "$DATA/pid/$1" 2>/dev/null)" "$DATA/prog/sbin/$1 "
}

supervisor_pid() {	# NAME
	pid_checked "$(as cat "$DATA/pid/$1.supervisor" 2>/dev/null)" "scripts/supervise $DATA $1 "
}

daemon_start() {	# NAME
	if supervisor_pid "$1" >/dev/null; then
		return 0
	fi
	daemon_stop "$1" || return 1		# one whose supervisor was killed
	as setsid --fork "$DATA/src/scripts/supervise" "$DATA" "$1" \
	    "$DATA/prog/sbin/$1" -c "$DATA/conf/forebay.conf" </dev/null >/dev/null 2>&1
}

daemon_stop() {		# NAME; longer than the daemons' own stop_timeout
	local pid sup
	if sup=$(supervisor_pid "$1"); then
		kill -TERM "$sup"
	elif pid=$(daemon_pid "$1"); then
		kill -TERM "$pid"
	fi
	pid=$(as cat "$DATA/pid/$1" 2>/dev/null)
	wait_gone "$pid" "$DATA/prog/sbin/$1 " 45
	group_end "$pid" "$DATA/prog/sbin/$1 "
	[ -z "$sup" ] || wait_gone "$sup" "scripts/supervise $DATA $1 " 5
}

daemon_said() {		# NAME: the end of its log, for a failure's message
	as tail -n 20 "$DATA/log/$1.log" 2>/dev/null
}

conf_write() {
	as sh -c 'umask 077; cat >"$1.new" && mv "$1.new" "$1"' conf "$DATA/conf/forebay.conf" <<-END
		[collect]
		# write keys are off: this is for trying forebay, not for a network
		keys =
		socket = $DATA/sock/forebay.sock
		peer = $ME
		[journal]
		dir = $DATA/journal
		# to try it, whatever this machine has will do, a container's layer too
		any_filesystem = yes
		[flush]
		conninfo = $FLUSH_DSN
		[run]
		dir = $DATA/state
	END
}

# ready_wait SECONDS: until the collector answers through nginx that it can accept
ready_wait() {
	local end=$((SECONDS + $1))
	until ready; do
		if [ $SECONDS -ge $end ]; then
			echo "https://127.0.0.1:$PORT/readyz did not become 200 in $1 s"
			daemon_said forebayd
			return 1
		fi
		sleep 0.1
	done
}

# Does the flusher reach the database, and takes that what it brings?
flowing() {
	as curl -sf -m 5 --unix-socket "$DATA/sock/metrics.sock" http://localhost/metrics |
	    grep -qx 'forebay_postgres_up 1'
}

ready() {
	as curl -sf -o /dev/null -m 5 --cacert "$DATA/tls/ca.pem" "https://127.0.0.1:$PORT/readyz"
}
