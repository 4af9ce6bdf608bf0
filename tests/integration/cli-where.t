#!/bin/sh
# forebay where: each thing that can become of an event, by receipt and by id, with
# and without PostgreSQL, with and without the journal.
. "$(dirname "$0")/lib.sh"
world; database; collector -o collect.workers=1

where() { forebay where "$@" 2>"$W/where.err"; }
# state WHAT ARGUMENT: the states in the answer, one after another
states() { where "$1" | awk '{ printf "%s%s", sep, $2; sep = " " }'; }
send() {			# send BODY: its receipt
	fcgi "post:$1" answer | grep -o '"receipt":"[^"]*"' | cut -d '"' -f 4
}

not_at_midnight 60
one=$(send '{"id":"w-1","type":"a","n":1}')
three=$(send '[{"id":"w-2","n":1},{"id":"w-3","n":1},{"n":4}]')
is "journaled" "$(states "$one")" journaled
is "a receipt of three is one line" "$(where "$three" | wc -l)" 1
is "journaled, by id" "$(states w-1)" journaled
unknown=01934b1e-5b7f-7000-8000-000000000001:1-2
is "unknown" "$(states $unknown)" unknown
where $unknown >/dev/null
is "unknown is status 1" "$?" 1

again=$(send '{"id":"w-1","type":"a","n":1}')
bad=$(printf '{"id":"poison","a":"\\u0000"}\n{"n":6}\n' | journal_tool plant "$J")
flusher
ok "everything is flushed" wait_drained 30
is "loaded" "$(states "$one")" loaded
ok "a receipt found is status 0" where "$one"
is "loaded, three" "$(where "$three" | cut -d ' ' -f 1,3)" "$three loaded"
is "duplicate" "$(states "$again")" duplicate
like "of what" "$(where "$again")" "duplicate .* of ${one%-*},"
is "by id both" "$(states w-1 | tr ' ' '\n' | sort | tr '\n' ' ')" "duplicate loaded "
is "quarantined" "$(states "$bad:1-2")" "quarantined loaded"
like "why" "$(where "$bad:1")" 'refused 22P05: untranslatable_character'
is "JSON" "$(where --json "$one" | sed 's/,"received_at":"[^"]*"//')" \
	"{\"segment\":\"${one%%:*}\",\"first\":1,\"last\":1,\"state\":\"loaded\"}"

segment=${three%%:*} last=${three##*-}
sql "DELETE FROM forebay.event WHERE segment = '$segment' AND seq = $last"
is "missing: covered by progress, in no table" "$(states "$segment:$last")" missing
where "$segment:$last" >/dev/null
is "missing is status 1" "$?" 1

own=$(forebay query "select id from event('$bad:2')") poison=$(forebay query "select id from event('$bad:1')")
pg_stop
is "PostgreSQL down: what the journal tells" "$(states "$one")" journaled
where "$one" >/dev/null
is "and status 69" "$?" 69
like "which says why" "$(cat "$W/where.err")" 'PostgreSQL could not be asked'
pg_start

# a server-made id, once the journal is gone
stop flush; stop collect
as rm -f "$J"/*.db "$J"/*.db-* "$J"/*.lock
is "loaded, without the journal" "$(states "$one")" loaded
is "loaded, by an id of ours" "$(states "$own")" loaded
is "loaded, by an id of the client's" "$(states w-2)" loaded
is "quarantined, without the journal" "$(states "$bad:1")" quarantined
is "quarantined, by id" "$(states "$poison")" quarantined
like "a duplicate, without the journal" "$(where "$again")" 'duplicate .*no longer tells'
is "unknown, by id" "$(states nobody)" ""
is "and says so" "$(where nobody)" unknown
where --bogus >/dev/null
is "wrong usage is 64" "$?" 64
done_testing
