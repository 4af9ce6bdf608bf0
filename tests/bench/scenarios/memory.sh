# shellcheck shell=sh disable=SC2154
# Memory over MEMORY_SECONDS of steady load, end to end: 100-event requests and single
# events at the same time. Peaks and what is held, each minute.
MEMORY_SECONDS=${MEMORY_SECONDS:-600} MEMORY_SINGLE=${MEMORY_SINGLE:-5000} MEMORY_BATCH=${MEMORY_BATCH:-200}

pss_kib() {			# what the processes of these names hold, shared pages divided
	local name pid
	for name; do
		for pid in $(tree "$name"); do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done
	done | awk '/^Pss:/ { n += $2 } END { print n + 0 }'
}

memory() {
	local end minute=0
	pg_empty
	with forebayd
	flusher
	record load "single=$MEMORY_SINGLE" "batch=$MEMORY_BATCH"
	load_start --seconds "$MEMORY_SECONDS" --rate "$MEMORY_SINGLE" -c 256
	end=$(($(date +%s) + MEMORY_SECONDS))
	while [ "$(date +%s)" -lt $((end - 1)) ]; do
		load_more=$((end - $(date +%s) < 60 ? end - $(date +%s) : 60))
		as "$TOOLS/load" --ca "$W/nginx/tls/cert.pem" -c 16 --seconds $load_more --rate "$MEMORY_BATCH" --events 100 \
			--form ndjson "$URL/v1/events" >"$W/more.json" || bail "unexpected answers"
		minute=$((minute + 1))
		ROUND=$minute record "minute" "kib=$(peak_kib collect flush)" "pss=$(pss_kib collect flush)" \
			"waits=$(($(journal_tool last "$J" | awk '{ n += $2 } END { print n + 0 }') - $(loaded)))"
	done
	wait "$LOAD" || bail "unexpected answers"
	stop flush
	without
}
