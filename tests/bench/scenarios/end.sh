# shellcheck shell=sh disable=SC2154
# End to end, flusher and PostgreSQL on the same cores: the highest rate at which the
# backlog does not grow. A rate holds when all of it is answered and, at the end, less
# waits than half a second brings. Halving finds it; a long run confirms it.
END_SECONDS=${END_SECONDS:-15} END_STEPS=${END_STEPS:-5}

# end_try RATE SECONDS: requests a second
end_try() {
	local sent
	loaded_before=$(loaded)
	cpu_begin
	load --seconds "$2" --rate "$1" --events "$END_EVENTS" -c "$CONNECTIONS" $END_FORM || bail "unexpected answers"
	sent=$(($(field answered) * END_EVENTS))
	END_WAITS=$((loaded_before + sent - $(loaded)))
	wait_loaded $((loaded_before + sent))
	cpu_end "$sent" "$(field cpu_seconds)"
	echo "# $1 requests/s for $2 s: $(field rate) answered, $END_WAITS events wait at the end"
	[ "$END_WAITS" -lt $(($1 * END_EVENTS / 2)) ] && [ "$(calc "$(field rate) > 0.97 * $1")" = 1 ]
}

end_search() {
	local low=0 high step=0
	load --seconds 3 --events "$END_EVENTS" -c "$CONNECTIONS" $END_FORM || bail "unexpected answers"
	high=$(field rate)
	wait_loaded "$(journal_tool last "$J" | awk '{ n += $2 } END { print n + 0 }')"
	while [ $step -lt "$END_STEPS" ]; do
		step=$((step + 1))
		if end_try $(((low + high) / 2)) 5; then
			low=$(((low + high) / 2))
		else
			high=$(((low + high) / 2))
		fi
	done
	END_RATE=$low
}

end_one() {
	case $1 in
	single) END_EVENTS=1 END_FORM= ;;
	batch) END_EVENTS=100 END_FORM="--form ndjson" ;;
	esac
	pg_empty
	with forebayd
	flusher
	end_search
	until end_try "$END_RATE" "$END_SECONDS"; do
		END_RATE=$((END_RATE * 95 / 100))
	done
	record "$1" "rate=$(calc "$(field rate) * $END_EVENTS")" "requests=$(field rate)" "p50=$(field p50)" "p99=$(field p99)" \
		"p99.9=$(field p99.9)" "max=$(field max)" $SPENT "kib=$(peak_kib collect flush)" "waits=$END_WAITS"
	stop flush
	without
}
end() { alternate end_one single batch; }
