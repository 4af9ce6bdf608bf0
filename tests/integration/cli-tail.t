#!/bin/sh
# forebay tail: the newest rows, filters, and -f across segments; stats beside it.
. "$(dirname "$0")/lib.sh"
world; database
collector -o collect.workers=1 -o journal.segment_age=1s

tail_() { forebay tail "$@"; }
send() { for b; do set -- "$@" "post:$b" answer; shift; done; fcgi "$@" >/dev/null; }
# value NAME: of each line's member, not of its payload's
value() { sed 's/,"payload".*//' | grep -o "\"$1\":\"[^\"]*\"" | cut -d '"' -f 4 | tr '\n' ' '; }
seen() { grep -q "\"id\":\"$1\"" "$W/follow.out"; }

is "nothing yet" "$(tail_ | wc -l)" 0
send '{"id":"1","type":"a","source":"web","t":"needle"}' '{"id":"2","type":"b","source":"app"}' \
	'{"id":"3","type":"a",
"source":"app"}' '{"broken'
is "the newest, oldest first" "$(tail_ | value id)" "1 2 3 "
is "-n" "$(tail_ -n 2 | value id)" "2 3 "
is "--type" "$(tail_ --type a | value id)" "1 3 "
is "--source" "$(tail_ --source app --type a | value id)" "3 "
is "--text" "$(tail_ --text needle | value id)" "1 "
is "a line each" "$(tail_ | wc -l)" 3
tail_ -n 1 >"$W/body"
is "which is JSON" "$(json '$.payload.type')" a
is "with the context" "$(json '$.context.protocol')" native

spawn follow "$BIN/forebay" -c "$W/forebay.conf" tail -f -n 1
ln -s log/follow.log "$W/follow.out"
wait_until 30 seen 3
# soon ID: it is shown within a second of the answer; three tries, for the machine may be busy
soon() {
	local try t0
	for try in 1 2 3; do
		send "{\"id\":\"$1-$try\"}"
		t0=$(now_ms)
		wait_until 30 seen "$1-$try" || return 1
		t0=$(($(now_ms) - t0))
		note "$1-$try after $t0 ms"
		[ "$t0" -le 1000 ] && return
	done
	return 1
}
seen 2
is "-f begins with the last lines" $? 1
soon first
is "-f shows an event within a second" $? 0
sleep 2				# the segment is closed by age: the next event makes rows in a new one
soon second
is "also in a new segment" $? 0
is "which it is" "$(($(forebay query 'select count(distinct segment) from event') > 1))" 1
is "and none twice" "$(value id <"$W/follow.out" | tr ' ' '\n' | sort | uniq -d)" ""
ticks() { awk '{ print $14 + $15 }' "/proc/$(pid_of follow)/stat"; }
before=$(ticks)
sleep 2
is "waiting costs next to nothing" "$(($(ticks) - before < 20))" 1
ok "it ends at a signal" stop follow

is "rejections" "$(tail_ --rejected | wc -l)" "$(forebay query 'select count(*) from rejection')"
if command -v script >/dev/null; then
	printf '{"id":"esc","type":"\\u001b[31m"}\n{"a":"\302\233x"}\n' | journal_tool plant "$J" >/dev/null
	out=$(script -qec "$AS $BIN/forebay -c $W/forebay.conf tail" /dev/null)
	like "for people: words, not JSON" "$out" '^[0-9:.]{12}  web  a  1  '
	is "no control character reaches the terminal" \
		"$(printf '%s' "$out" | tr -d '\r\n' | LC_ALL=C grep -c "$(printf '[\001-\037]\|\302\233')")" 0
else
	skip "no script"
fi
tail_ -n x 2>/dev/null
is "wrong usage is 64" $? 64
done_testing
