# shellcheck shell=sh disable=SC2154
# The flusher beside psql's \copy BINARY of the same rows into the same table, with 0,
# 0.1 and 1 % of rows that stand there already. The rows come through the collector.
FLUSH_ROWS=${FLUSH_ROWS:-500000}

# flush_journal NAME DUPLICATES: a journal of its own; the duplicates, events sent a
# second time, lie evenly between the others
flush_journal() {
	local journal=$W/journal-$1 rate=$((FLUSH_ROWS / 500)) again
	mkdir -p "$journal"
	[ -z "$AS" ] || chown "$USER_NAME" "$journal"
	with forebayd -o journal.dir="$journal"
	if [ "$2" -gt 0 ]; then
		(sleep 0.5 && exec $AS "$TOOLS/load" --ca "$W/nginx/tls/cert.pem" -c 8 --seed 5eed \
			--requests "$2" --rate $(($2 / 5)) "$URL/v1/events") >"$W/again.json" &
		again=$!
	fi
	load -c 8 --seed 5eed --events 100 --form ndjson --requests $((FLUSH_ROWS / 100)) --rate "$rate" ||
		bail "the journal cannot be made"
	[ "$2" = 0 ] || wait $again || bail "the duplicates are not taken"
	without
}

flush_copy() {
	local began
	began=$(now_ms)
	sql_script <"$W/copy.sql" || bail "\\copy fails"
	FLUSH_MS=$(($(now_ms) - began)) FLUSH_N=$FLUSH_ROWS
}

# From its start to the last row in PostgreSQL; what it takes to connect counts too.
flush_flusher() {
	local began
	FLUSH_N=$((FLUSH_ROWS + $1))
	began=$(now_ms)
	flusher -o journal.dir="$W/journal-$1" -o journal.keep=30d
	wait_loaded $FLUSH_N
	FLUSH_MS=$(($(now_ms) - began))
}

flush_one() {
	pg_empty
	FLUSH_KIB=0
	cpu_begin
	case $1 in
	copy) flush_copy ;;
	*) flush_flusher "$1" ;;
	esac
	cpu_end $FLUSH_N
	[ "$1" = copy ] || FLUSH_KIB=$(peak_kib flush)
	record "$1" "rate=$(calc "$FLUSH_N * 1000 / $FLUSH_MS")" "ms=$FLUSH_MS" $SPENT "kib=$FLUSH_KIB" \
		"row_bytes=$(sql "SELECT sum(pg_total_relation_size(inhrelid)) / (SELECT count(*) FROM forebay.event)
			FROM pg_inherits WHERE inhparent = 'forebay.event'::regclass")" \
		"duplicates=$(sql "SELECT coalesce(sum(duplicates), 0) FROM forebay.progress")"
	[ "$1" = copy ] || stop flush
}

flush() {
	local n
	sql "ALTER SYSTEM SET autovacuum = off" && sql "SELECT pg_reload_conf()" >/dev/null
	for n in 0 $((FLUSH_ROWS / 1000)) $((FLUSH_ROWS / 100)); do
		flush_journal $n $n
	done
	printf '%s\n' "\\copy forebay.event FROM '$W/rows' BINARY" >"$W/copy.sql"
	pg_empty
	flush_flusher 0
	stop flush
	printf '%s\n' "\\copy (SELECT * FROM forebay.event) TO '$W/rows' BINARY" | sql_script || bail "no file of rows"
	alternate flush_one copy 0 $((FLUSH_ROWS / 1000)) $((FLUSH_ROWS / 100))
	rm -rf "$W/rows" "$W"/journal-*
	pg_empty
	sql "ALTER SYSTEM RESET autovacuum" && sql "SELECT pg_reload_conf()" >/dev/null
}
