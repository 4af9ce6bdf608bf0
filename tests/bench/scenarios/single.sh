# shellcheck shell=sh
# Single events over TLS, the flusher paused, beside the null responder: the same loop
# without decoding and without a journal.
single_one() {
	local c
	with "$1"
	for c in 1 16 64 256; do
		measure "$1 $c" 1 -c $c
	done
	without
}
single() { alternate single_one null_forebayd forebayd; }
