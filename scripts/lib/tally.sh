# shellcheck shell=bash
# What passed, failed and was skipped: one line each, "WORD name", in WORK/results.

RESULTS=$WORK/results
: >"$RESULTS"

# tally_tests DIR SINCE LABEL: what automake's harness wrote in DIR since then. It
# leaves a .trs and a .log of each test; names are in the latter only.
tally_tests() {
	find "$1" -name '*.trs' -newer "$2" -printf '%p\n' | sed 's/\.trs$/.log/' |
	    xargs -r -d '\n' sed -nE "s|^((X?PASS\|X?FAIL\|SKIP\|ERROR)): (tests/.*)|\1 \3  ($3)|p" >>"$RESULTS"
}

tally_step() {		# NAME STATUS
	if [ "$2" = 0 ]; then echo "PASS $1"; else echo "FAIL $1"; fi >>"$RESULTS"
}

tally_skip() {		# NAME
	echo "SKIP $1" >>"$RESULTS"
}

# A suite that failed without a test that did: the harness itself.
tally_suite() {		# NAME STATUS
	[ "$2" = 0 ] || grep -qE '^(FAIL|XPASS|ERROR) ' "$RESULTS" || tally_step "$1" "$2"
}

tally_count() {
	grep -cE "^($1) " "$RESULTS"
}

# Prints what was not right by name, then the totals; false when something failed.
tally_report() {
	local failed
	failed=$(tally_count 'FAIL|XPASS|ERROR')
	echo
	grep -E '^(SKIP|XFAIL) ' "$RESULTS" | sed 's/^[A-Z]* /skipped: /'
	grep -E '^(FAIL|XPASS|ERROR) ' "$RESULTS" | sed 's/^[A-Z]* /FAILED: /'
	echo "$(tally_count PASS) passed, $failed failed, $(tally_count 'SKIP|XFAIL') skipped"
	[ "$failed" = 0 ]
}
