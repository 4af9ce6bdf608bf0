#!/bin/sh
# forebay query: the real sqlite3 shell over live and abandoned segments, its output
# modes, what is forbidden, and who may.
. "$(dirname "$0")/lib.sh"

command -v sqlite3 >/dev/null || skip_all "no sqlite3 shell (Debian: sqlite3)"
W=$(mktemp -d "${TMPDIR:-/var/tmp}/forebay-it-XXXXXX") || exit 1
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
mkdir "$W/log" "$W/journal"
J=$W/journal BIN=$top_builddir AS=
[ -x "$BIN/forebay_journal.so" ] || skip_all "no forebay_journal.so"
export FOREBAY_EXTENSION="$BIN/forebay_journal.so" FOREBAY_JOURNAL_DIR="$J" HOME="$W"

query() { "$BIN/forebay" query "$@" </dev/null 2>&1; }
fill() { "$BIN/tests/tools/journal_fill" "$J" "$@" || bail "journal_fill failed"; }

is "an empty journal has no event" "$(query 'select count(*) from event')" 0
fill 30000 5000 600
is "all events of all segments" "$(query 'select count(*), count(distinct segment) from event')" "30000|6"
is "-json" "$(query -json "select seq, id, type from event where id = 'id-7'")" \
	'[{"seq":8,"id":"id-7","type":"order.paid"}]'
is "-csv -header" "$(query -csv -header "select id, source from event where id = 'id-7'" | tr -d '\r')" \
	"id,source
id-7,app"
like "-box" "$(query -box 'select 1 as one')" '┌─────┐'
is "--line, and the extension's other tables" \
	"$(query --line "select events from request where seq = 8 limit 1")" "events = 3"
receipt=$(query 'select receipt from request where seq = 8 limit 1')
is "a receipt as an argument" "$(query "select group_concat(id) from event('$receipt')")" "id-7,id-8,id-9"
like "payload is the last column" "$(query -header 'select * from event limit 1' | head -n 1)" '\|context\|payload$'
is "SQL from standard input" "$(echo 'select count(*) from event;' | "$BIN/forebay" query)" 30000
is "two statements" "$(query 'select 1; select 2')" "1
2"

plain=$(query "select count(*) from event where +received_at > datetime('now', '-5000 seconds') and +received_at <= (select max(received_at) from event)")
is "a time with and without push-down" \
	"$(query "select count(*) from event where received_at > datetime('now', '-5000 seconds') and received_at <= (select max(received_at) from event)")" "$plain"

files() { find "$J" -type f -printf '%p %i %s %T@\n' | sort; }
files >"$W/files"
query 'select count(*) from event' >/dev/null
is "no file is touched by looking, not even -shm of a segment without a writer" "$(files | diff "$W/files" -)" ""
ln -s "$J" "$W/a%20b #?c"
is "a directory's name may be strange" "$(FOREBAY_JOURNAL_DIR="$W/a%20b #?c" query 'select count(*) from event')" 30000

like "it cannot write" "$(query 'delete from event')" 'may not be modified'
like "nor open other files" "$(query "attach '$W/x.db' as x")" 'safe mode'
like "nor run programs" "$(query '.shell id')" 'safe mode'
like "what ends a statement" "$(query --timeout 1 'select count(*) from event a, event b, event c')" 'time limit'
query 'select nonsense' >/dev/null
is "a wrong statement is status 1" "$?" 1
"$BIN/forebay" query --timeout x 2>/dev/null
is "wrong usage is 64" "$?" 64
like "help documents the exit status" "$(query --help)" 'exit status: .*64 usage'

if [ "$(id -u)" = 0 ]; then
	chmod 0750 "$J"; chmod 0755 "$W"
	cp "$BIN/forebay" "$W/forebay-copy"	# the build may be out of the other user's reach
	out=$(setpriv --reuid=65534 --regid=65534 --clear-groups -- "$W/forebay-copy" query 'select 1' 2>&1)
	is "who is not in the group: 77" "$?" 77
	is "and one sentence says so" "$(printf '%s\n' "$out" | wc -l)" 1
	like "which names the group" "$out" 'group forebay'
else
	skip "not root: nobody else to be"
fi
out=$(FOREBAY_JOURNAL_DIR=$W/none query 'select 1')
is "no journal: 66" "$?" 66
like "which it names" "$out" "$W/none"

# Old segments stay closed when newer rows are asked for.
fill 1000 1000 1
opened() { strace -f -e trace=openat -o "$W/trace" "$BIN/forebay" query "$1" >/dev/null; grep -c '\.db", ' "$W/trace"; }
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	is "every segment is opened without a condition" "$(opened 'select count(*) from event')" 7
	is "two for the newest rows" \
		"$(opened "select count(*) from event where received_at > datetime('now', '-60 seconds')")" 2
	is "one for one segment" "$(opened "select count(*) from event where segment = '${receipt%%:*}'")" 1
else
	skip "no strace"
fi
done_testing
