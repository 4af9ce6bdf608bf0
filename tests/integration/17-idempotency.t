#!/bin/sh
# Idempotency-Key: two requests with one key are one; another body by the same key is
# told so; events of one request are told apart by their place, senders by their write key.
. "$(dirname "$0")/lib.sh"
world
database
sed -i "s|^keys =.*|keys = $W/keys|" "$W/forebay.conf"
A=$(forebay key new --name a shop 2>/dev/null)
A2=$(forebay key new --name a shop 2>/dev/null)
B=$(forebay key new --name b shop 2>/dev/null)
not_at_midnight 60
collector
nginx
flusher

# send KEY IDEMPOTENCY-KEY BODY
send() {
	post "$3" -H "Authorization: Bearer $1" -H "Idempotency-Key: $2" >/dev/null
}
count() { sql "SELECT count(*) FROM forebay.event WHERE ${1:-true}"; }
settle() { wait_until 60 drained || fail "not flushed"; }

send "$A" k1 '{"t":1,"n":1}'
is "the first" "$(status) $(json '$.accepted')" "202 1"
send "$A" k1 '{"t":1,"n":1}'
is "the same again is accepted" "$(status) $(json '$.accepted')" "202 1"
settle
is "and stored once" "$(count "payload->>'t' = '1'")" 1
# more than one try: each worker has to know
other_bodies() {
	local i=0
	while [ $i -lt 20 ]; do
		send "$A" k1 "{\"t\":1,\"n\":2,\"try\":$i}"
		[ "$(status) $(json '$.code')" = "422 idempotency_key_reused" ] || return 1
		i=$((i + 1))
	done
}
ok "another body under the same key is told so by every worker" other_bodies
http POST '/v1/events?mode=sync' --data-binary '{"t":1,"n":2}' -H "x-api-key: $A" -H 'Idempotency-Key: k1' >/dev/null
is "in sync mode too" "$(status) $(json '$.code')" "422 idempotency_key_reused"
printf '{"t":1,"n":1}' | gzip | post @- -H "Authorization: Bearer $A" -H 'Idempotency-Key: k1' >/dev/null
is "the same body in gzip is the same" "$(status)" 202
settle
is "none of it is stored" "$(count "payload->>'t' = '1'")" 1
is "the first one stays" "$(sql "SELECT payload->>'n' FROM forebay.event WHERE payload->>'t' = '1'")" 1
send "$A" k2 '{"t":1,"n":1}'
settle
is "the same body under another key is another" "$(count "payload->>'t' = '1'")" 2
send "$A2" k2 '{"t":1,"n":1}'
settle
is "another secret of the same name is the same sender" "$(count "payload->>'t' = '1'")" 2
send "$B" k2 '{"t":1,"n":1}'
settle
is "another write key is another sender" "$(count "payload->>'t' = '1'")" 3

# Place: the events of a request are different ones; more of them are more.
send "$A" k3 '[{"t":3},{"t":3},{"t":3}]'
send "$A" k3 '[{"t":3},{"t":3},{"t":3}]'
settle
is "three of one request are three, once" "$(count "payload->>'t' = '3'")" 3
send "$A" k3 '[{"t":3},{"t":3},{"t":3},{"t":3}]'
is "with a fourth event it is another body" "$(status) $(json '$.code')" "422 idempotency_key_reused"
settle
is "and not stored" "$(count "payload->>'t' = '3'")" 3
send "$A" k4 '[{"t":4,"n":0},{"t":4,"n":"\ud800"},{"t":4,"n":2}]'
settle
send "$A" k4 '[{"t":4,"n":0},{"t":4,"n":1},{"t":4,"n":2}]'
settle
is "a refused one keeps its place free" "$(sql "SELECT string_agg(payload->>'n', ' ' ORDER BY payload->>'n')
	FROM forebay.event WHERE payload->>'t' = '4'")" "0 1 2"

send "$A" k4 '[{"t":4,"n":0}]'
is "once all were taken the key stands for that body" "$(status)" 422

# The key wins over ids.
send "$A" k5 '{"t":5,"id":"one"}'
send "$A" k6 '{"t":5,"id":"one"}'
settle
is "one id under two keys is two events" "$(count "payload->>'t' = '5'")" 2
http POST '/v1/events?mode=sync' --data-binary '{"t":6}' -H "x-api-key: $A" -H 'Idempotency-Key: k7' >/dev/null
first=$(json '$.ids[0]')
http POST '/v1/events?mode=sync' --data-binary '{"t":6}' -H "x-api-key: $A" -H 'Idempotency-Key: k7' >/dev/null
is "in sync mode too" "$(status)" 201
like "an id that follows from the key" "$first" '^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
is "each answer tells the same" "$(json '$.ids[0]')" "$first"
settle
is "once" "$(count "payload->>'t' = '6'")" 1
is "under the id that was told" "$(sql "SELECT id FROM forebay.event WHERE payload->>'t' = '6'")" "$first"
is "where knows both deliveries by it" "$(forebay where "$first" | awk '{ print $2 }' | sort | tr '\n' ' ')" "duplicate loaded "

# A body that was never stored stands for nothing: whoever got 503 may send another.
bound() {
	# shellcheck disable=SC2046	# pids, word by word
	for p in $(children "$(pid_of collect)"); do as prlimit --pid "$p" --fsize="$1:" || return 1; done
}
if command -v prlimit >/dev/null; then
	bound 1				# of each file: no write comes through
	send "$A" k8 '{"t":11,"n":1}'
	is "a body that cannot be stored" "$(status) $(json '$.code')" "503 unavailable"
	bound "$(as prlimit --fsize -o HARD --noheadings | tr -d ' ')"
	again() { send "$A" k8 '{"t":11,"n":2}'; [ "$(status)" = 202 ] || [ "$(status)" = 422 ]; }
	wait_until 60 again
	is "another one by the same key is the first" "$(status)" 202
	settle
	is "and stands" "$(sql "SELECT string_agg(payload->>'n', ' ') FROM forebay.event WHERE payload->>'t' = '11'")" 2
else
	skip "no prlimit (Debian: util-linux)"
fi

# The form of the key.
long=$(printf '%0255d' 7)
send "$A" "$long" '{"t":8}'
is "255 characters" "$(status)" 202
send "$A" "${long}1" '{"t":8}'
is "256 are too many" "$(status) $(json '$.code')" "400 bad_idempotency_key"
send "$A" 'with "quotes" \ and é' '{"t":9}'
send "$A" 'with "quotes" \ and é' '{"t":9}'
is "any characters" "$(status)" 202
post '{"t":10}' -H "x-api-key: $A" -H 'Idempotency-Key;' >/dev/null
post '{"t":10}' -H "x-api-key: $A" -H 'Idempotency-Key;' >/dev/null
is "an empty one is none" "$(status)" 202
settle
is "255 characters, stored" "$(count "payload->>'t' = '8'")" 1
is "any characters, once" "$(count "payload->>'t' = '9'")" 1
is "an empty one, twice" "$(count "payload->>'t' = '10'")" 2
is "duplicates are counted" "$(sql "SELECT sum(duplicates) FROM forebay.progress")" 10
stop collect TERM
collector
send "$A" k1 '{"t":1,"n":2}'
is "after a restart it is still known" "$(status) $(json '$.code')" "422 idempotency_key_reused"
send "$A" k1 '{"t":1,"n":1}'
is "and so is the body that came by it" "$(status)" 202
settle

# What this node does not remember only PostgreSQL finds: it stands as it was, but it is told.
stop collect TERM
rm "$W/run/requests.1"
collector
before=$(forebay stats --json | grep -o '"flush_rows_differing_total":[0-9]*')
send "$A" k1 '{"n": 1, "t":1}'
same=$(json '$.receipt')
stop collect TERM
rm "$W/run/requests.1"
collector
send "$A" k1 '{"t":1,"n":3}'
is "another body by a key of before is taken here" "$(status)" 202
other=$(json '$.receipt')
settle
like "where says that it says something else" "$(forebay where "$other")" 'duplicate .*of .*, which says something else'
unlike "and of the same that it does not" "$(forebay where "$same")" 'something else'
is "it is counted" "$before $(forebay stats --json | grep -o '"flush_rows_differing_total":[0-9]*')" \
	'"flush_rows_differing_total":0 "flush_rows_differing_total":1'
like "and logged by its place" "$(cat "$W/log/flush.log")" "flush.differs .*${other%-*}"
is "what stood there stands" "$(sql "SELECT payload->>'n' FROM forebay.event WHERE payload->>'t' = '1' AND key = 'a'" | head -1)" 1
is "the books balance" "$(sql "SELECT count(*) FROM forebay.progress
	WHERE last_seq <> loaded + duplicates + quarantined + rejected")" 0
done_testing
