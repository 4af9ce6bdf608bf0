# shellcheck shell=sh disable=SC2034,SC2154	# variables for those who source this
# What the scenarios of `make bench` stand on, itself on top of the integration tests'
# lib.sh: variants in turn, the load, and what every process spent on it.
#
#   alternate COMMAND VARIANT ...   A B A B, ROUNDS times; $ROUND says which
#   with / without                  the collector and nginx of one measurement
#   measure NAME EVENTS OPTION ...  the load; a line of results
#   record NAME KEY=VALUE ...       a line of results by hand
#
# A line of results is: name, round, KEY=VALUE ..., separated by tabs; the file is
# $OUT/<scenario>.tsv. tests/bench/report.py makes the document of all of them.
. "$top_srcdir/tests/integration/lib.sh"

ROUNDS=${ROUNDS:-2} SECONDS_EACH=${SECONDS_EACH:-5} CONNECTIONS=${CONNECTIONS:-64}
PROCESSES="nginx collect flush pg api redis worker"

# --- results -----------------------------------------------------------------------

# begin SCENARIO: its file, with where and when in the first line
begin() {
	RESULTS=$OUT/$1.tsv
	printf '#\t%s\t%s\t%s\n' "$(date -u +%Y-%m-%dT%H:%MZ)" \
		"$(git -C "$top_srcdir" describe --always --dirty 2>/dev/null || echo -)" \
		"SECONDS_EACH=$SECONDS_EACH ROUNDS=$ROUNDS" >"$RESULTS"
	echo
	echo "== $1"
}

record() {
	local name=$1 line
	shift
	line=$(printf '%s\t%s' "$name" "${ROUND:-1}"; printf '\t%s' "$@")
	printf '%s\n' "$line" >>"$RESULTS"
	printf '%s\n' "$line" | tr '\t' ' '
}

alternate() {
	local command=$1 variant
	shift
	ROUND=0
	while [ "$ROUND" -lt "$ROUNDS" ]; do
		ROUND=$((ROUND + 1))
		for variant; do
			$command "$variant"
		done
	done
	ROUND=
}

calc() { awk "BEGIN { printf \"%.${2:-0}f\", ($1) }"; }
field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" "$W/load.json"; }

# version PROGRAM ...: the first number that looks like one
version() { "$@" 2>&1 | grep -oE '[0-9]+(\.[0-9]+)+[^ ,)]*' | head -n 1; }

# What the figures were taken on.
machine() {
	local sync
	sync=$(as dd if=/dev/zero of="$W/sync" bs=4k count=500 oflag=dsync 2>&1 |
		awk '/copied/ { for (i = 2; i <= NF; i++) if ($i == "s,") printf "%.2f ms", $(i - 1) * 1000 / 500 }')
	printf '%s\t%s\n' \
		CPU "$(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(
			awk -F ': ' '/^cpu family/ { f = $2 } /^model\t/ { m = $2 } END { print "family " f " model " m }' /proc/cpuinfo)" \
		memory "$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" \
		kernel "$(uname -sr)" \
		"journal's file system" "$(findmnt -no FSTYPE -T "$J" || stat -f -c %T "$J"), a synced write of 4 KiB takes $sync" \
		nginx "$(version "$NGINX" -v), the shipped configuration, TLS 1.3" \
		PostgreSQL "$(version "$PG_SERVER/postgres" --version), fsync on, shared_buffers 512 MB, max_wal_size 8 GB" \
		SQLite "$(version sqlite3 --version)" \
		compiler "$(${CC:-cc} --version | head -n 1)" \
		Python "$(version /usr/bin/python3 --version), FastAPI $(/usr/bin/python3 -c 'import fastapi; print(fastapi.__version__)' 2>/dev/null || echo -)" \
		Redis "$(version redis-server --version || echo -)" \
		Node "$(version node --version || echo -)"
}

# --- processes ---------------------------------------------------------------------

# tree NAME: pids of a process and all its descendants
tree() {
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v root="$(pid_of "$1")" '
		{ pid = $1; sub(/.*\) /, ""); parent[pid] = $2 }
		END { for (p in parent) {
			for (q = p; q != root && q in parent; q = parent[q])
				;
			if (q == root) print p
		} }'
}

# CPU time of a process and its descendants, those that have ended too, in milliseconds
cpu_ms() {
	local pid
	[ -s "$W/$1.pid" ] && alive "$(pid_of "$1")" || { echo 0; return; }
	for pid in $(tree "$1"); do cat "/proc/$pid/stat" 2>/dev/null; done | awk -v hz="$(getconf CLK_TCK)" '
		{ sub(/.*\) /, ""); n += $12 + $13 + $14 + $15 } END { printf "%.0f\n", n * 1000 / hz }'
}

# the machine's, everything but waiting
busy_ms() {
	awk -v hz="$(getconf CLK_TCK)" '/^cpu / { printf "%.0f\n", ($2 + $3 + $4 + $7 + $8) * 1000 / hz }' /proc/stat
}

# peak_kib NAME ...: the largest memory of each process so far, summed
peak_kib() {
	local name pid
	for name; do
		[ -s "$W/$name.pid" ] && alive "$(pid_of "$name")" || continue
		for pid in $(tree "$name"); do cat "/proc/$pid/status" 2>/dev/null; done
	done | awk '/^VmHWM:/ { n += $2 } END { print n + 0 }'
}

cpu_begin() {
	local name
	for name in $PROCESSES; do eval "CPU_$name=$(cpu_ms "$name")"; done
	BUSY=$(busy_ms)
}

# cpu_end EVENTS [LOAD]: sets SPENT to name_us=..., microseconds an event of every process
# that ran; LOAD is the generator's CPU time in seconds; other_us is what the machine did
# besides (kernel threads, and whoever disturbed)
cpu_end() {
	local name now ours
	ours=$(calc "${2:-0} * 1000")
	BUSY=$(($(busy_ms) - BUSY))
	SPENT=
	for name in $PROCESSES; do
		now=$(cpu_ms "$name")
		eval "now=\$((now - CPU_$name))"
		[ "$now" -gt 0 ] || continue
		ours=$((ours + now))
		SPENT="$SPENT ${name}_us=$(calc "$now * 1000 / $1" 2)"
	done
	[ -z "${2:-}" ] || SPENT="$SPENT load_us=$(calc "$2 * 1e6 / $1" 2)"
	SPENT="$SPENT other_us=$(calc "($BUSY - $ours) * 1000 / $1" 2)"
}

# --- what is measured --------------------------------------------------------------

# What the unit gives the collector besides.
UNIT_ENVIRONMENT=$(sed -n 's/^Environment=//p' "$top_srcdir/conf/systemd/forebay.service.in")

# with PROGRAM [option ...]: collector and nginx; SLOW=microseconds makes a slow disk
with() {
	local program=$BIN/$1
	[ -x "$program" ] || program=$W/$1
	shift
	# the allocator as the shipped unit sets it
	set -- env "$(sed -n 's/^Environment=\(GLIBC_TUNABLES=.*\)/\1/p' "$top_srcdir/conf/systemd/forebay.service.in")" \
		"$program" -c "$W/forebay.conf" -o journal.floor_pct=0 "$@"
	[ -z "${SLOW:-}" ] || set -- env LD_PRELOAD="$W/slow_disk.so" SLOW_SYNC_US="$SLOW" "$@"
	spawn collect env $UNIT_ENVIRONMENT "$@"
	wait_until 15 ready || bail "$program does not get ready"
	nginx
}
without() {
	stop nginx
	stop collect
	rm -rf "${J:?}"/*
}

# measure NAME EVENTS LOAD-OPTION ...: a second to get warm, then SECONDS_EACH of load;
# EVENTS are those of a request. MORE is put into the line of results.
measure() {
	local name=$1 events=$2 n
	shift 2
	load --seconds 1 --events "$events" "$@" 2>/dev/null
	cpu_begin
	load --seconds "$SECONDS_EACH" --events "$events" "$@" || bail "unexpected answers"
	n=$(calc "$(field answered) * $events")
	cpu_end "$n" "$(field cpu_seconds)"
	RATE=$(calc "$(field rate) * $events")
	record "$name" "rate=$RATE" "requests=$(field rate)" "p50=$(field p50)" "p99=$(field p99)" "p99.9=$(field p99.9)" \
		"max=$(field max)" $SPENT \
		"kib=$(peak_kib collect flush)" ${MORE:-}
}

# --- PostgreSQL --------------------------------------------------------------------

# As a careful person would run it: everything is synced.
postgres() {
	pg_template
	cat >>"$W/pg/postgresql.conf" <<-END
		fsync = on
		shared_buffers = 512MB
		max_wal_size = 8GB
		checkpoint_timeout = 30min
	END
	pg_start
	DB=postgres sql "CREATE DATABASE forebay" || bail "no database"
	database
}

# Nothing in the tables and nothing left to write.
pg_empty() {
	sql "TRUNCATE forebay.event, forebay.progress, forebay.quarantine, forebay.rejection" && sql CHECKPOINT
}

# wait_loaded ROWS: until so many rows of the journal stand in PostgreSQL
wait_loaded() {
	sql "DO \$\$ BEGIN
		WHILE (SELECT coalesce(sum(last_seq), 0) FROM forebay.progress) < $1 LOOP
			PERFORM pg_sleep(0.01);
		END LOOP;
	END \$\$"
}
loaded() { sql "SELECT coalesce(sum(last_seq), 0) FROM forebay.progress"; }
