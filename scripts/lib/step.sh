# shellcheck shell=bash
# One line a step, with seconds; a failure shows the end of what the step said. On a
# terminal the line of a long step shows how long it runs and what it says meanwhile.

WORK=$(mktemp -d "${TMPDIR:-/tmp}/forebay.XXXXXX") || exit 74
trap 'rm -rf "$WORK"' EXIT

step_seconds() {	# SINCE (of EPOCHREALTIME)
	local us=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
	printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

SCREEN='' GREEN='' RED='' BOLD='' PLAIN='' WATCHER=''
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
	SCREEN=1
	if [ -z "${NO_COLOR:-}" ]; then
		# shellcheck disable=SC2034	# read by show.sh
		GREEN=$'\e[32m' RED=$'\e[31m' BOLD=$'\e[1m' PLAIN=$'\e[0m'
	fi
fi

# Draws the line of a step that goes on, once a second, until it is killed.
step_watch() {	# NAME
	local since=$SECONDS width words
	while sleep 1 && kill -0 $$; do
		width=$(stty size <&1 | cut -d ' ' -f 2)
		[ "${width:-0}" -ge 60 ] || width=80
		words=$(tail -c 1000 "$WORK/log" | tr '\r' '\n' | grep -v '^ *$' | tail -n 1 | tr -cd ' -~')
		printf '\r%-44s%5d s  %s\e[K' "$1" $((SECONDS - since)) "${words:0:$((width - 54))}"
	done
} 2>/dev/null

step_watch_end() {
	[ -n "$WATCHER" ] || return 0
	kill "$WATCHER" 2>/dev/null
	wait "$WATCHER" 2>/dev/null
	WATCHER=''
	printf '\r\e[K'
}

# step "NAME" "WHAT TO DO WHEN IT FAILS" COMMAND...
step() {
	local name=$1 advice=$2 began=$EPOCHREALTIME status
	shift 2
	printf '%-44s' "$name"
	: >"$WORK/log"
	[ -z "$SCREEN" ] || { step_watch "$name" 9>&- & WATCHER=$!; }
	"$@" >"$WORK/log" 2>&1 </dev/null
	status=$?
	[ -z "$WATCHER" ] || { step_watch_end; printf '%-44s' "$name"; }
	if [ $status = 0 ]; then
		printf '%s %6s s\n' "${GREEN}ok$PLAIN" "$(step_seconds "$began")"
		return 0
	fi
	printf '%s %s s\n\n' "${RED}FAILED$PLAIN" "$(step_seconds "$began")"
	tail -n "${STEP_TAIL:-20}" "$WORK/log" | sed 's/^/    /'
	printf '\nFailed: %s (status %d). %s\n' "$name" $status "$advice"
	exit $status
}
