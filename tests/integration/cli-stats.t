#!/bin/sh
# forebay stats: rates, the last minute, who runs; and the words that the shell
# completes are those that the command knows.
. "$(dirname "$0")/lib.sh"
world; database
collector
flusher

stats() { forebay stats "$@"; }
number() { stats --json | grep -o "\"$1\":[0-9.truefalsn]*" | cut -d : -f 2; }

fcgi 'post:[{"type":"a","source":"s"},{"type":"a","source":"s"},{"type":"b"}]' answer >/dev/null
ok "everything is flushed" wait_drained 30
stats --json >"$W/body"
is "JSON: the last minute" "$(json '$.last_minute')" \
	'[{"type": "a", "events": 2, "source": "s"}, {"type": "b", "events": 1, "source": null}]'
is "counters" "$(json '$.collect_events_accepted_total')" 3
is "who runs" "$(json '$.collect_runs')$(json '$.flush_runs')" truetrue
none_pending() { [ "$(number flush_pending_rows)" = 0 ]; }
ok "nothing is pending" wait_until 30 none_pending

# pour: events until it is ended, so that two samples differ; large ones, for the journal
# grows in steps
pour() {
	local pad
	pad=$(head -c 70000 /dev/zero | tr '\0' x)
	while :; do
		fcgi "post:{\"type\":\"p\",\"pad\":\"$pad\"}" answer >/dev/null
		sleep 0.05
	done
}
pour &
is "a rate above nothing" "$(number events_accepted_per_second | awk '{ print ($1 > 0) }')" 1
like "when the journal will be full" "$(number seconds_until_full)" '^[0-9]+$'
kill $!
wait $!
no_rate() { [ "$(number events_accepted_per_second)" = 0.0 ]; }
ok "and of nothing" wait_until 30 no_rate
is "a journal that does not grow" "$(number seconds_until_full)" null
like "for people" "$(stats)" '^minute   "s" "a" +2$'
stop flush
like "who does not run" "$(stats)" '^# the flusher does not run'

# money: three lines by hand, from what the command itself says of the traffic
stats --cost --json >"$W/body"
is "cost: the traffic" "$(json '$.events')" "$(number collect_events_accepted_total)"
dollars() {			# dollars NAME WANT: within a tenth of a cent of a cent
	is "cost: $1" "$(awk -v got="$(json "\$.dollars.$1")" -v want="$2" 'BEGIN {
		d = got - want; print (got > 0 && d < 2e-5 && d > -2e-5) ? "as by hand" : got " not " want }')" "as by hand"
}
dollars alb "$(awk -v s="$(json '$.seconds')" -v r="$(json '$.requests')" -v b="$(json '$.bytes')" \
	'BEGIN { print s / 3600 * .0225 + (b + r * 1000) / 1e9 * .008 }')"
dollars api_gateway_rest "$(awk -v r="$(json '$.requests')" \
	'BEGIN { print r * (3.5 + .2 + .02 * .25 * 13.3334) / 1e6 }')"
like "cost: for people" "$(stats --cost)" '^api_gateway_http +[0-9.]+ +[0-9.]+ +[0-9.]+  Instead'
is "options in any order" "$(stats --json --cost | cut -c 1)$(stats --cost --json | cut -c 1)" '{{'
stats --cost --bogus 2>/dev/null
is "cost: wrong usage is 64" $? 64
stats --bogus 2>/dev/null
is "wrong usage is 64" $? 64

verbs=$("$BIN/forebay" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | sort | tr '\n' ' ')
is "each says more about itself" "$(for v in $verbs; do forebay "$v" --help || echo "$? from $v"; done |
	sed -n 's/^usage: forebay \([a-z-]*\) .*/\1/p; /^[0-9]* from/p' | tr '\n' ' ')" "$verbs"
is "the completion knows every verb" "$(bash -c '. "$1"; COMP_WORDS=(forebay ""); COMP_CWORD=1
	_forebay; printf "%s\n" "${COMPREPLY[@]}"' - "$top_srcdir/conf/bash-completion/forebay" |
	grep -v ^- | sort | tr '\n' ' ')" "$verbs"
is "and what a verb takes" "$(bash -c '. "$1"; COMP_WORDS=(forebay -c x audit --seg); COMP_CWORD=4
	_forebay; echo "${COMPREPLY[@]}"' - "$top_srcdir/conf/bash-completion/forebay")" --segments
done_testing
