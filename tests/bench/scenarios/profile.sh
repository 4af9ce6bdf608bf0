# shellcheck shell=sh disable=SC2154
# Where the CPU time of single events goes, by perf: of nginx and of the workers, by
# library, and the functions that take the most.
profile() {
	local name
	if ! command -v perf >/dev/null || ! perf record -o "$W/perf" -q -a -e cpu-clock sleep 0.1 >/dev/null 2>&1; then
		record skipped "reason=perf_does_not_work_here"
		return
	fi
	with forebayd
	load_start --seconds "$SECONDS_EACH" -c "$CONNECTIONS"
	sleep 1
	perf record -o "$W/perf" -q -a -e cpu-clock -F 997 sleep $((SECONDS_EACH - 2)) >/dev/null 2>&1
	wait "$LOAD" || bail "unexpected answers"
	for name in nginx forebayd; do
		perf script -i "$W/perf" -F comm,ip,sym,dso 2>/dev/null | awk -v name="$name" '
			$1 == name {
				object = $NF; gsub(/[()]|.*\//, "", object); sub(/\.so.*/, "", object)
				if (object ~ /kernel|kallsyms|vmlinux/) object = "kernel"
				n++; d[object]++; f[$3 "\tobject=" object]++
			}
			END {
				for (x in d) printf "%s\t1\tpercent=%.1f\tobject=%s\n", name, d[x] * 100 / n, x
				for (x in f) printf "top %s\t1\tpercent=%.1f\tfunction=%s\n", name, f[x] * 100 / n, x
			}' | sort -t = -k 2 -rn | awk '/^top/ ? i++ < 12 : j++ < 9'
	done >>"$RESULTS"
	without
}
