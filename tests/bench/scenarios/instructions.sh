# shellcheck shell=sh disable=SC2154
# Instructions an event, by callgrind: what no neighbour can change. Each program works
# twice, on few events and on many; the difference is what the events cost.
INSTRUCTIONS_FEW=${INSTRUCTIONS_FEW:-2000} INSTRUCTIONS_MANY=${INSTRUCTIONS_MANY:-12000}

# instructions_of DIRECTORY: of the process that had the most, and its file
instructions_of() {
	awk '/^(summary|totals):/ { print $2, FILENAME; nextfile }' "$1"/callgrind.* | sort -n | tail -n 1
}

callgrind() {			# callgrind NAME DIRECTORY COMMAND ...
	local name=$1 dir=$2
	shift 2
	rm -rf "$dir"
	mkdir "$dir"
	[ -z "$AS" ] || chown "$USER_NAME" "$dir"
	spawn "$name" valgrind -q --tool=callgrind --trace-children=yes --callgrind-out-file="$dir/callgrind.%p" "$@"
}

# instructions_collect EVENTS A-REQUEST: a worker, 16 connections
instructions_collect() {
	callgrind collect "$W/callgrind" "$BIN/forebayd" -c "$W/forebay.conf" -o collect.workers=1
	wait_until 60 ready || bail "forebayd does not get ready"
	nginx
	if [ "$2" = 1 ]; then
		load -c 16 --requests "$1" || bail "unexpected answers"
	else
		load -c 4 --events "$2" --form ndjson --requests $(($1 / $2)) || bail "unexpected answers"
	fi
	stop nginx
	stop collect TERM 60 || bail "forebayd does not stop"
}

# instructions_flush EVENTS: the flusher, from start to stop
instructions_flush() {
	pg_empty
	with forebayd
	load -c 4 --events 100 --form ndjson --requests $(($1 / 100)) || bail "unexpected answers"
	stop nginx
	stop collect
	callgrind flush "$W/callgrind" "$BIN/forebay-flusher" -c "$W/forebay.conf"
	wait_loaded "$1"
	stop flush TERM 60 || bail "the flusher does not stop"
	rm -rf "${J:?}"/*
}

# instructions_pair NAME FACTOR COMMAND ...: the command gets the number of events first
instructions_pair() {
	local name=$1 few many file command=$3 factor=$2
	shift 3
	$command $((INSTRUCTIONS_FEW * factor)) "$@"
	few=$(instructions_of "$W/callgrind")
	rm -rf "${J:?}"/*
	$command $((INSTRUCTIONS_MANY * factor)) "$@"
	many=$(instructions_of "$W/callgrind")
	rm -rf "${J:?}"/*
	file=${many#* }
	record "$name" "instructions=$(calc "(${many% *} - ${few% *}) / (($INSTRUCTIONS_MANY - $INSTRUCTIONS_FEW) * $factor)")"
	callgrind_annotate --threshold=90 "$file" 2>/dev/null | sed -n \
		's|^ *[0-9,]* *( *\([0-9.]*\)%) *[^:]*:\([^ ]*\)\( .*/\([^/]*\)\]\)\{0,1\}$|\1\t\2 \4|p' |
		head -n 15 | while read -r percent what where; do
		printf 'top %s\t1\tpercent=%s\tfunction=%s\tobject=%s\n' "$name" "$percent" "$what" "$where" >>"$RESULTS"
	done
}

instructions() {
	if ! command -v valgrind >/dev/null; then
		record skipped "reason=no_valgrind"
		return
	fi
	instructions_pair "worker, single events" 1 instructions_collect 1
	instructions_pair "worker, 100 a request" 2 instructions_collect 100
	instructions_pair "flusher" 2 instructions_flush
}
