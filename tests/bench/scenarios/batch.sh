# shellcheck shell=sh
# 100 events a request in every form, the flusher paused.
batch_one() {
	with forebayd
	case $1 in
	gzip) measure "ndjson gzip" 100 -c "$CONNECTIONS" --form ndjson --gzip ;;
	*) measure "$1" 100 -c "$CONNECTIONS" --form "$1" ;;
	esac
	without
}
batch() { alternate batch_one array ndjson gzip; }
