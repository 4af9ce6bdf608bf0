# shellcheck shell=sh
# Latency at parts of the peak: requests leave on a fixed schedule, and latency counts
# from when they should have left.
latency_one() {
	with forebayd
	measure "peak" 1 -c "$CONNECTIONS"
	LATENCY_PEAK=${LATENCY_PEAK:-$RATE}
	for share in 25 50 75; do
		measure "$share %" 1 -c "$CONNECTIONS" --rate $((LATENCY_PEAK * share / 100))
	done
	without
}
latency() {
	LATENCY_PEAK=
	alternate latency_one -
}
