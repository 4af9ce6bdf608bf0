#!/bin/sh
# Write keys: who shows none that is known is told so and leaves nothing behind;
# keys come and go without a restart, and a broken file takes nobody's key away.
. "$(dirname "$0")/lib.sh"
world
database
KEYS=$W/keys
sed -i "s|^keys =.*|keys = $KEYS|" "$W/forebay.conf"

# No file: nothing starts that would let anybody in, or nobody.
rc=0
out=$(as timeout 10 "$BIN/forebayd" -c "$W/forebay.conf" 2>&1) || rc=$?
is "no file of keys: exit 78" $rc 78
like "and what to type" "$out" 'keys: No such file.*forebay key new SOURCE'

umask 027
web=$(forebay key new --name web-1 web 2>"$W/said")
like "a key is made" "$web" '^fbk_[A-Za-z0-9_-]{43}$'
like "and said to be shown once" "$(cat "$W/said")" 'shown this once'
is "the file holds its digest" "$(cat "$KEYS")" "$(printf %s "$web" | sha256sum | cut -d ' ' -f 1) web-1 web"
is "and is not for everybody" "$(stat -c %a "$KEYS")" 640
cp -p "$KEYS" "$W/keys.first"
page=$(forebay key new --name page --origins https://a.example,https://b.example page 2>/dev/null)
json=$(forebay key new --json back 2>/dev/null)
like "--json" "$json" "^\{\"key\":\"fbk_[^\"]*\",\"name\":\"back-[0-9-]*\",\"source\":\"back\"\}$"
back=$(printf %s "$json" | cut -d '"' -f 4)
day=$(date -u +%F)
like "a second one of the day has another name" "$(forebay key new --json back 2>/dev/null)" "\"name\":\"back-$day-2\""
like "and so has a third" "$(forebay key new --json back 2>/dev/null)" "\"name\":\"back-$day-3\""
cp "$KEYS" "$W/keys.before"
rc=0
forebay key new --name web-1 shop >/dev/null 2>"$W/said" || rc=$?
is "a name that another source has: exit 64" $rc 64
like "and who has it" "$(cat "$W/said")" 'web-1 is that of a key of web'
ok "the file is as it was" cmp -s "$KEYS" "$W/keys.before"
rc=0
{ cat "$W/keys.before"; printf '%064d web-1 shop\n' 0; } | as tee "$KEYS" >/dev/null
out=$(forebay check-config 2>&1) || rc=$?
is "a file where two sources have one name: check-config says so" $rc 78
like "with both" "$out" 'collect.keys: .*web-1 stands for two sources, '
rc=0
as timeout 10 "$BIN/forebayd" -c "$W/forebay.conf" -t >/dev/null 2>&1 || rc=$?
is "and forebayd does not start with it" $rc 78
rc=0
{ cat "$W/keys.before"; printf '%064d cut sho' 0; } | as tee "$KEYS" >/dev/null
out=$(forebay key new other 2>&1) || rc=$?
is "nor is a key added to a file that was cut" $rc 78
like "which is told" "$out" 'keys:[0-9]*: the line has no end'
as tee "$KEYS" <"$W/keys.before" >/dev/null

# Eight at once: each key is there, whole, and none has another's name.
started=
for i in 1 2 3 4 5 6 7 8; do
	forebay key new many >/dev/null 2>&1 &
	started="$started $!"
done
# shellcheck disable=SC2086	# a list
wait $started
is "eight made at once are eight, of eight names" "$(awk '$3 == "many" { print $2 }' "$KEYS" | sort -u | wc -l)" 8
is "rights and owner stay" "$(stat -c '%a %U %G' "$KEYS")" "$(stat -c '%a %U %G' "$W/keys.before" | sed "s/ .*/ $(stat -c '%U %G' "$W/keys.first")/")"
as mv "$KEYS" "$W/real-keys"
as ln -s real-keys "$KEYS"
forebay key new linked >/dev/null 2>&1
ok "a link stays one" test -L "$KEYS"
is "and its file has the key" "$(grep -c ' linked$' "$W/real-keys")" 1
as mv "$W/real-keys" "$KEYS"

for bad in '' 'two words' 'a#b' 'a"b' 'a\b' "$(printf 'caf\351')"; do
	rc=0
	forebay key new "$bad" >/dev/null 2>&1 || rc=$?
	is "no source: '$bad'" $rc 64
done
rc=0
forebay key new "$(printf 'a%.0s' $(seq 120))" >/dev/null 2>&1 || rc=$?
is "nor one of which no name can be made that forebayd takes" $rc 64
rc=0
forebay -o collect.keys= key new web >/dev/null 2>"$W/said" || rc=$?
is "keys are off: exit 78" $rc 78
like "and what to do" "$(cat "$W/said")" 'collect.keys is not set'

collector -o collect.body_bytes=64K
nginx "access_log $W/nginx/log/nginx.log forebay;"	# everything is looked at
flusher
N=0
# sent STATUS CODE WHAT [curl options]: an event with or without a key
sent() {
	local want="$1 $2" what=$3
	shift 3
	N=$((N + 1))
	post "{\"n\":$N,\"source\":\"lie\"}" "$@" >/dev/null
	is "$what" "$(status) $(json '$.code')" "$want"
}
taken() { sent 202 "" "$@"; }
unknown() { sent 401 unauthorized "$@"; is "$1: is asked for one" "$(head_of WWW-Authenticate)" Bearer; }
basic() { printf %s "$1" | base64 -w 0; }
bearer() { printf 'Authorization: Bearer %s' "$1"; }

taken "Bearer" -H "$(bearer "$web")"
taken "Bearer, in small letters" -H "authorization: bearer $web"
taken "Basic, as the user" -u "$web:"
taken "Basic, with a password" -u "$web:x"
taken "Basic, without a colon" -H "Authorization: Basic $(basic "$web")"
taken "x-api-key" -H "x-api-key: $web"
http POST "/v1/events?key=$web" --data-binary '{"n":0}' >/dev/null
is "in the query string" "$(status)" 202
http POST "/v1/events?mode=sync&key=$web" --data-binary '{"n":0}' >/dev/null
is "behind another parameter" "$(status)" 201
taken "another scheme and x-api-key" -H 'Authorization: AWS4-HMAC-SHA256 Credential=x' -H "x-api-key: $web"

unknown "no key"
unknown "an empty one" -H 'Authorization: Bearer '
unknown "an unknown one" -H "$(bearer "${web}x")"
unknown "the digest is no key" -H "$(bearer "$(cut -c 1-64 "$KEYS" | head -n 1)")"
unknown "the name is no key" -H 'x-api-key: web-1'
unknown "no base64" -H 'Authorization: Basic ****'
unknown "of 4,000 bytes" -H "$(bearer "$(printf '%04000d' 0)")"
unknown "what is shown first counts" -H "$(bearer wrong)" -H "x-api-key: $web"
sent 403 forbidden "from another origin" -H "$(bearer "$page")" -H 'Origin: https://c.example'
is "is not asked for another key" "$(head_of WWW-Authenticate)" ""
sent 403 forbidden "from the beginning of an origin" -H "$(bearer "$page")" -H 'Origin: https://a.exampl'
taken "from an origin of the list" -H "$(bearer "$page")" -H 'Origin: https://b.example'
taken "from no browser" -H "$(bearer "$page")"
taken "a key without a list, from anywhere" -H "$(bearer "$web")" -H 'Origin: https://c.example'

# What strangers send is neither kept nor told from anything else.
printf '{"secret":' | post @- -H "$(bearer wrong)" >/dev/null
is "bad JSON of a stranger" "$(status) $(json '$.code')" "401 unauthorized"
head -c 70000 /dev/zero | post @- >/dev/null
is "too much of a stranger" "$(status)" 401
printf '{"secret":' | post @- -H "$(bearer "$page")" -H 'Origin: https://c.example' >/dev/null
is "bad JSON from elsewhere" "$(status)" 403
is "none of it is in the journal" "$(journal_tool segments "$J" | awk '{ n += $4 } END { print n + 0 }')" 0
is "nor its words" "$(grep -rl '"secret"\|"lie","n":-1' "$J" 2>/dev/null | wc -l)" 0
scrape() { curl -sS --max-time 20 --unix-socket "$W/run/metrics.sock" http://localhost/metrics; }
is "they are counted" "$(scrape | sed -n 's/^forebay_answers_total{code="\(unauthorized\|forbidden\)"} /\1 /p' | tr '\n' ' ')" \
	"unauthorized 10 forbidden 3 "
is "the log of nginx holds no key" "$(grep -c "$web\|$page\|key=" "$W/nginx/log/nginx.log")" 0
is "nor does ours" "$(grep -c "$web\|$page\|$back" "$W/log/collect.log")" 0

# Rotation: in force within a second, out of force within a second, no restart.
pids=$(children "$(pid_of collect)")
try() { post '{"rotation":1}' -H "$(bearer "$2")" >/dev/null; [ "$(status)" = "$1" ]; }
# more than one try: another worker may not have read the file yet
try_all() {
	local i=0
	while [ $i -lt 20 ]; do
		try "$@" || return 1
		i=$((i + 1))
	done
}
within() {	# within WHAT STATUS KEY: of a second, and a little for the machine
	local began
	began=$(now_ms)
	ok "$1" wait_until 30 try_all "$2" "$3"
	note "after $(($(now_ms) - began)) ms"
}
web2=$(forebay key new --name web-2 web 2>/dev/null)
ok "a second key works at once" try_all 202 "$web2"
ok "and so does the first" try_all 202 "$web"
grep -v ' web-1 ' "$KEYS" | as tee "$KEYS.new" >/dev/null
chmod 640 "$KEYS.new"
as mv "$KEYS.new" "$KEYS"
within "a key that is taken out does not" 401 "$web"
ok "the other one does" try_all 202 "$web2"
web3=$(forebay key new web 2>/dev/null)
ok "and a third at once" try_all 202 "$web3"

good=$(cat "$KEYS")
echo 'not a key' | as tee -a "$KEYS" >/dev/null
ok "a broken file is said to be one" wait_until 30 grep -q 'keys.refused.*keys:[0-9]*: expected.*keeping' "$W/log/collect.log"
ok "the keys in force stay so" try_all 202 "$web3"
refused() { [ "$(scrape | sed -n 's/^forebay_keys_refused //p')" = "$1" ]; }
ok "it is an alarm of both workers" wait_until 30 refused 2
: | as tee "$KEYS" >/dev/null
ok "a file that was emptied neither" wait_until 30 grep -q 'keys.refused.*no key in it.*keeping' "$W/log/collect.log"
ok "the keys in force stay so" try_all 202 "$web3"
printf '%s' "$good" | as tee "$KEYS" >/dev/null
ok "nor one whose last line was cut" wait_until 30 grep -q 'keys.refused.*the line has no end.*keeping' "$W/log/collect.log"
ok "the keys in force stay so" try_all 202 "$web3"
as rm "$KEYS"
ok "no file neither" wait_until 30 grep -q 'keys.refused.*No such file.*keeping' "$W/log/collect.log"
ok "the keys in force stay so" try_all 202 "$web3"
printf '%s\n' "$good" | grep -v "$(printf %s "$web3" | sha256sum | cut -c 1-64)" | as tee "$KEYS" >/dev/null
within "and a good one counts again" 401 "$web3"
ok "the alarm is over" wait_until 30 refused 0
is "no worker was replaced for it" "$(children "$(pid_of collect)")" "$pids"

# The source is the key's, whatever the event says; what it says stays in payload.
post '{"last":1,"source":"lie"}' -H "$(bearer "$back")" >/dev/null
ok "all is flushed" wait_until 60 drained
is "source and name of the key" "$(sql "SELECT string_agg(DISTINCT key || '/' || source, ' ' ORDER BY key || '/' || source)
	FROM forebay.event" | sed "s/-$day/-DAY/g")" "back-DAY/back page/page web-1/web web-2/web web-DAY/web"
is "the event's stays in payload" "$(sql "SELECT payload->>'source' FROM forebay.event WHERE payload ? 'last'")" lie
is "strangers' events are nowhere" "$(sql "SELECT count(*) FROM forebay.rejection")" 0
done_testing
