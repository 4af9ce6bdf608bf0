# shellcheck shell=sh disable=SC2154
# What a journal that PostgreSQL has not seen for hours costs: accepting, draining and
# asking, with 10 million events pending and with none.
BACKLOG_ROWS=${BACKLOG_ROWS:-10000000} BACKLOG_DRAIN=${BACKLOG_DRAIN:-500000}

backlog_dir() {
	rm -rf "$W/journal-$1"
	mkdir "$W/journal-$1"
	[ -z "$AS" ] || chown "$USER_NAME" "$W/journal-$1"
}
# backlog_fill NAME ROWS: 10,000 rows a second up to now
backlog_fill() {
	backlog_dir "$1"
	eval "BACKLOG_SINCE_$1='$(date -u -d '-1 minute' '+%Y-%m-%d %H:%M:%S')' BACKLOG_ID_$1=id-$(($2 - 1000))"
	as "$TOOLS/journal_fill" "$W/journal-$1" "$2" 100000 $(($2 / 10000)) || bail "the journal cannot be filled"
}

# The flusher runs and PostgreSQL is away.
backlog_accept() {
	with forebayd -o journal.dir="$W/journal-$1"
	flusher -o journal.dir="$W/journal-$1" -o flush.conninfo="host=$W/nowhere user=flusher dbname=forebay" \
		-o journal.keep=30d
	measure "accept $1" 1 -c "$CONNECTIONS"
	stop flush KILL
	without
}

# The rate between the first fifth and the end, so that start and connecting do not count.
backlog_drain() {
	local began first=$((BACKLOG_DRAIN / 5))
	pg_empty
	flusher -o journal.dir="$W/journal-$1" -o journal.keep=30d
	wait_loaded $first
	began=$(now_ms)
	cpu_begin
	wait_loaded "$BACKLOG_DRAIN"
	began=$(($(now_ms) - began))
	cpu_end $((BACKLOG_DRAIN - first))
	record "drain $1" "rate=$(calc "($BACKLOG_DRAIN - $first) * 1000 / $began")" $SPENT "kib=$(peak_kib flush)"
	stop flush KILL
}

backlog_ask() {			# backlog_ask WHAT SQL JOURNAL
	local began
	began=$(now_ms)
	forebay -o journal.dir="$W/journal-$3" query "$2" >"$W/answer" && [ -s "$W/answer" ] || bail "$2"
	record "$1 $3" "ms=$(($(now_ms) - began))" "rows=$(wc -l <"$W/answer")"
}
backlog_query() {
	local since id
	eval "since=\$BACKLOG_SINCE_$1 id=\$BACKLOG_ID_$1"
	backlog_ask "the last minute by type," "SELECT type, count(*) FROM event
		WHERE received_at > '$since' GROUP BY 1" "$1"
	backlog_ask "one id of the last minute," "SELECT * FROM event
		WHERE received_at > '$since' AND id = '$id'" "$1"
}

backlog() {
	local began
	began=$(date +%s)
	backlog_fill empty 600000
	backlog_fill full "$BACKLOG_ROWS"
	record fill "rows=$BACKLOG_ROWS" "seconds=$(($(date +%s) - began))" \
		"mib=$(du -sm "$W/journal-full" | cut -f 1)"
	alternate backlog_query empty full
	sql "ALTER SYSTEM SET autovacuum = off" && sql "SELECT pg_reload_conf()" >/dev/null
	alternate backlog_drain empty full
	sql "ALTER SYSTEM RESET autovacuum" && sql "SELECT pg_reload_conf()" >/dev/null
	backlog_dir empty
	alternate backlog_accept empty full
	rm -rf "$W"/journal-*
}
