#!/bin/bash
# Examples of the documents are run from the documents: README, API and MIGRATING, and the
# SQL of OPERATIONS and SECURITY; the commands of OPERATIONS and SECURITY are run on a
# machine with systemd (tests/systemd/documents.sh). A block that is neither run nor marked
# as one that cannot be fails here.
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
world; database; collector; nginx; flusher
sql "CREATE ROLE postgres LOGIN SUPERUSER" || bail "no role"

# --- what stands in the documents ---------------------------------------------------

# blocks DOCUMENT: W/ex/DOCUMENT/NNN.LINE.KIND
blocks() {
	local f unmarked
	mkdir -p "$W/ex/$1"
	awk -v dir="$W/ex/$1" -f "$top_srcdir/tests/tools/examples.awk" "$top_srcdir/$1"
	unmarked=$(for f in "$W/ex/$1"/*; do
		case $f in *.sh|*.sql|*.answer|*.nginx|*.no|*.section) ;; *) echo "line $(echo "${f##*/}" | cut -d . -f 2)" ;; esac
	done | paste -sd ' ')
	is "each block of $1 is run, or marked with the reason why not" "$unmarked" ""
}
for doc in README.md SECURITY.md doc/API.md doc/MIGRATING.md doc/OPERATIONS.md; do
	blocks "$doc"
done

# --- a place as the quickstart makes it ---------------------------------------------

Q=$W/clone
mkdir -p "$Q/run" "$W/prog" "$W/tls" "$W/conf" "$W/bin-shims"
ln -s "$BIN" "$W/prog/bin"
ln -s "$W/run" "$W/sock"
ln -s "$W/forebay.conf" "$W/conf/forebay.conf"
cp "$W/nginx/tls/cert.pem" "$W/tls/ca.pem"
cp "$top_srcdir/conf/examples/events.ndjson" "$Q/"
# answers with their head, as the page shows them
printf '%s\n' include silent show-error >"$W/.curlrc"
# The port of /metrics is somebody else's here: the same by its socket.
cat >"$W/bin-shims/curl" <<END
#!/bin/sh
for a; do
	shift
	case \$a in http://127.0.0.1:9464/*) set -- "\$@" --unix-socket $W/run/metrics.sock "\$a" ;; *) set -- "\$@" "\$a" ;; esac
done
exec $(command -v curl) "\$@"
END
cat >"$W/bin-shims/aws" <<'END'
#!/bin/sh
printf 'abcdefghijklmnopqrstuvwxyz0123456789ABCD\tpartner\n'
END
printf '#!/bin/sh\nexec "$@"\n' >"$W/bin-shims/sudo"
chmod +x "$W"/bin-shims/*
[ -z "$AS" ] || chown -R "$USER_NAME" "$W/clone" "$W/tls" "$W/prog" "$W/conf"
# shellcheck disable=SC2016	# for that shell
as bash -c '. "$0/scripts/lib/tls.sh"; . "$0/scripts/lib/show.sh"; as() { "$@"; }
	DATA=$1 RUN=$1/clone/run PORT=$2 METRICS_PORT=9464 PG_PORT=5432 USER_DSN=; env_write' "$top_srcdir" "$W" "$PORT" ||
	bail "no run/env"

# run FILE: its commands, without what they answer, in W/out
run() {
	grep -vE '^(HTTP/|\{| \{)' "$1" | sed -e "s|/etc/forebay/keys|$W/keys|" >"$W/script"
	(cd "$Q" && as env CURL_HOME="$W" KEY="${KEY:-}" PATH="$W/bin-shims:$PATH" bash -c \
		'. run/env; PATH=${0%/*}/bin-shims:$PATH; set -e; . "$0"' "$W/script") >"$W/out" 2>&1 </dev/null
}
# what an answer is known by: members and codes
words() { grep -oE '"[a-z_]+":|"code":"[a-z_]+"' | sort -u; }
# answers FILE: does W/out have the status and the members that stand in FILE?
answers() {
	local want
	want=$(grep -oE '^HTTP/2 [0-9]+' "$1")
	[ -z "$want" ] || tr -d '\r' <"$W/out" | grep -oE '^HTTP/2 [0-9]+' | grep -qx "$want" || { echo "not $want"; cat "$W/out"; return 1; }
	grep -E '^(HTTP/|\{| \{| ")|:' "$1" | words >"$W/want"
	words <"$W/out" | comm -23 "$W/want" - >"$W/missing"
	[ ! -s "$W/missing" ] || { echo "not answered: $(paste -sd ' ' "$W/missing")"; cat "$W/out"; return 1; }
}
good() { ! tr -d '\r' <"$W/out" | grep -E '^HTTP/[0-9.]+ [45]'; }

# document NAME: each command, then what it answers
document() {
	local f line last=
	for f in "$W/ex/$1"/*.sh "$W/ex/$1"/*.answer; do
		[ -e "$f" ] && echo "$f"
	done | sort >"$W/list"
	while read -r f; do
		line=$(echo "${f##*/}" | cut -d . -f 2)
		case $f in
		*.answer)
			ok "$1:$line: the answer is what the page shows" answers "$f" ;;
		*)
			[ -z "$last" ] || ok "$last: no error" good
			last=$1:$line
			ok "$1:$line: runs" run "$f"
			[ "$FAILED" = 0 ] || note "$(cat "$W/out")"
			if grep -q '^{' "$f"; then
				grep '^{' "$f" >"$W/shown"
				ok "$1:$line: the answers are what the page shows" answers "$W/shown"
			fi ;;
		esac
		case $f in *.answer) last= ;; esac
	done <"$W/list"
	[ -z "$last" ] || ok "$last: no error" good
}

statements() {
	local f line
	for f in "$W/ex/$1"/*.sql; do
		line=$(echo "${f##*/}" | cut -d . -f 2)
		ok "$1:$line: runs" sql_script <"$f"
	done
}

# --- keys off, as with the quickstart -----------------------------------------------

document README.md
like "README: the event is shown" "$(sql "SELECT id || ' ' || type FROM forebay.event WHERE id = 'order-42'")" '^order-42 order$'
# a screen of 80 columns for the quickstart's table
LOAD_PATH=/v1/events post "@$top_srcdir/conf/examples/events.ndjson" >/dev/null
ok "samples are flushed" wait_drained 60
mkdir -p "$W/src/conf/examples" && cp "$top_srcdir/conf/examples/events.ndjson" "$W/src/conf/examples/"
# shellcheck disable=SC2016
bash -c '. "$0/scripts/lib/show.sh"; as() { "$@"; }; DATA=$1 SAMPLES_SINCE=$(($(date +%s) + 9)) PSQL=$2
	db() { $PSQL "$@"; }; samples_show' "$top_srcdir" "$W" \
	"$AS $PG/psql -X -q -v ON_ERROR_STOP=1 -h $SERVER -U forebay -d forebay" >"$W/table" 2>&1
like "the quickstart's sample" "$(cat "$W/table")" 'order.created'
is "fits 80 columns" "$(awk 'length > 80' "$W/table")" ""
like "and says what is left out" "$(cat "$W/table")" 'and 12 more'
like "and what stood there before" "$(cat "$W/table")" 'Of these events 20 stood there before'

# --- keys on --------------------------------------------------------------------------

stop collect
KEY=$(forebay -o collect.keys="$W/keys" key new shop 2>/dev/null)
sed -i "s|^keys =.*|keys = $W/keys|" "$W/forebay.conf"
collector
document doc/API.md

# --- from API Gateway --------------------------------------------------------------------

document doc/MIGRATING.md
ok "MIGRATING: the key of API Gateway's is taken" wait_until 20 sh -c \
	'[ "$(curl -s -o /dev/null -w "%{http_code}" --cacert "$0" -H "x-api-key: abcdefghijklmnopqrstuvwxyz0123456789ABCD" -d "{\"id\":\"moved\"}" "$1")" = 202 ]' \
	"$W/nginx/tls/cert.pem" "$URL/v1/events"
ok "all is flushed" wait_drained 60
is "under its name" "$(sql "SELECT key FROM forebay.event WHERE id = 'moved' LIMIT 1")" partner
statements doc/MIGRATING.md
is "MIGRATING: the consumer has a cursor" "$(sql 'SELECT count(*) > 0 FROM consumer')" t

grep -h . "$W"/ex/doc/MIGRATING.md/*.nginx | sed "s|/usr/local/share/forebay/nginx|$W/nginx/conf|" >"$W/stage"
sed '/^location/,$d' "$W/stage" >>"$W/nginx/conf/http.conf"
sed -n '/^location/,$p' "$W/stage" >>"$W/nginx/conf/server.conf"
kill -HUP "$(pid_of nginx)"
staged() { http POST "/prod/events$1" -d '{"id":"stage"}' >/dev/null && [ "$(status)" = "$2" ]; }
ok "MIGRATING: another path, with a key in the query string" wait_until 20 staged "?key=$KEY" 202
ok "with mode=sync" wait_until 20 staged "?mode=sync&key=$KEY" 201
ok "without one nobody is let in" wait_until 20 staged "" 401

# --- statements of the other pages ------------------------------------------------------

post '{"id":"order-42","user_id":"4711","n":1}' -H "Authorization: Bearer $KEY" >/dev/null
ok "all is flushed before something is erased" wait_drained 60
statements SECURITY.md
is "SECURITY: the person's events are empty" \
	"$(sql "SELECT count(*) FROM forebay.event WHERE id = 'order-42' OR payload->>'user_id' = '4711'")" 0
statements doc/OPERATIONS.md
ok "the audit is clean after all that" forebay audit
done_testing
