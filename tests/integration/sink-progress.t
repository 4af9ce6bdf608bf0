#!/bin/sh
# Somebody moves forebay.progress over rows that have not come yet, as who has the flusher's
# password can: nothing is lost by it, an alarm says what to type, and that mends it.
. "$(dirname "$0")/lib.sh"
world
database
not_at_midnight 60

logged() { grep -Eq -- "$1" "$W/log/flush.log"; }
loaded() { sql_is "SELECT count(*), count(DISTINCT payload->>'n') FROM forebay.event" "$1|$1"; }
posts() { for n in "$@"; do fcgi "post:{\"n\":$n}" answer; done | grep -c '"receipt"'; }
segments_are() { [ "$(find "$J" -maxdepth 1 -name '*.db' | wc -l)" = "$1" ]; }
alarm_is() { forebay stats --json | grep -q "\"flush_alarm\":$1\\b"; }
over() {			# over SEGMENT ROWS: progress moves by so many that are none
	as "$PG/psql" -XqAt -v ON_ERROR_STOP=1 -h "$W/run" -U flusher -d forebay -c "SELECT forebay.advance(
		ARRAY['$1'::uuid], ARRAY[last_seq], ARRAY[last_seq + $2], '{0}', ARRAY[$2], '{0}', '{0}')
		FROM forebay.progress WHERE segment = '$1'"
}

collector -o collect.workers=1
flusher -o journal.keep=1s -o journal.keep_min=1s
is "three events" "$(posts 1 2 3)" 3
ok "are loaded" wait_until 30 loaded 3
segment=$(sql "SELECT segment FROM forebay.progress")
is "progress is moved over a thousand rows to come" "$(over "$segment" 1000)" 1
is "three more are acknowledged" "$(posts 4 5 6)" 3
ok "that they count as loaded is told" wait_until 30 logged "flush.passed .*[1-9] rows"
ok "with an alarm that says what to type" wait_until 30 logged "flush.alarm .*SELECT forebay.recount\\('$segment'\\)"
ok "which stats show" alarm_is 1
like "audit shows the hole, though it counts as duplicates" "$(forebay audit)" "^hole +$segment:4-6 "
stop collect
sleep 2
ok "past journal.keep, its writer gone, the segment is still there" segments_are 1
stop flush
flusher -o journal.keep=1s -o journal.keep_min=1s
ok "a flusher that starts anew finds it, too" wait_until 30 alarm_is 1
collector -o collect.workers=1
is "another segment" "$(posts 7 8 9)" 3
ok "goes its way" wait_until 30 loaded 6
sql "$(grep flush.alarm "$W/log/flush.log" | tail -n 1 | sed -n 's/.*type in psql: \(.*)\);.*/\1/p')" >"$W/recounted"
is "what it says to type puts progress back" "$(cat "$W/recounted")" 3
ok "each of the events is loaded, once" wait_until 30 loaded 9
ok "the alarm is over" wait_until 30 alarm_is 0
is "the books are clean" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
stop collect
ok "and the segments go" wait_until 30 segments_are 0

# moved over fewer rows than come at once, by the time they come: no alarm, but a warning,
# and audit names them
collector -o collect.workers=1
is "three events of a third segment" "$(posts 11 12 13)" 3
ok "are loaded" wait_until 30 loaded 12
segment=$(sql "SELECT segment FROM forebay.progress ORDER BY segment DESC LIMIT 1")
MARK=$(wc -l <"$W/log/flush.log")
passed() { forebay stats --json | sed -n 's/.*"flush_rows_passed_total":\([0-9]*\).*/\1/p'; }
before=$(passed)
over "$segment" 2 >/dev/null
is "three events at once" "$(fcgi 'post:[{"n":14},{"n":15},{"n":16}]' answer | grep -c '"receipt"')" 1
ok "progress covers two of them" wait_until 30 sh -c "tail -n +$MARK '$W/log/flush.log' | grep -q 'flush.passed 2 rows'"
counted() { [ "$(passed)" = $((before + 2)) ]; }
ok "and they are counted" wait_until 30 counted
like "audit names them" "$(forebay audit)" "^hole +$segment:4-5 "
is "set back to before them" "$(sql "SELECT forebay.recount('$segment', 3)")" 3
stop flush
flusher
ok "they are loaded" wait_until 30 loaded 15
is "and all is recounted" "$(sql "SELECT forebay.recount('$segment')")" 6
is "the books are clean again" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
done_testing
