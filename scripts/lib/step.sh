# shellcheck shell=bash
# One line a step, with seconds; a failure shows the end of what the step said.

WORK=$(mktemp -d "${TMPDIR:-/tmp}/forebay.XXXXXX") || exit 74
trap 'rm -rf "$WORK"' EXIT

step_seconds() {	# SINCE (of EPOCHREALTIME)
	local us=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
	printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

# step "NAME" "WHAT TO DO WHEN IT FAILS" COMMAND...
step() {
	local name=$1 advice=$2 began=$EPOCHREALTIME status
	shift 2
	printf '%-44s' "$name"
	"$@" >"$WORK/log" 2>&1 </dev/null
	status=$?
	if [ $status = 0 ]; then
		printf 'ok %6s s\n' "$(step_seconds "$began")"
		return 0
	fi
	printf 'FAILED %s s\n\n' "$(step_seconds "$began")"
	tail -n "${STEP_TAIL:-20}" "$WORK/log" | sed 's/^/    /'
	printf '\nFailed: %s (status %d). %s\n' "$name" $status "$advice"
	exit $status
}
