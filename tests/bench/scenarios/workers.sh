# shellcheck shell=sh
# 1, 2 and 4 workers.
workers_one() {
	with forebayd -o collect.workers="$1"
	measure "$1 64" 1 -c 64
	measure "$1 256" 1 -c 256
	measure "$1 batch" 100 -c 64 --form ndjson
	without
}
workers() { alternate workers_one 1 2 4; }
