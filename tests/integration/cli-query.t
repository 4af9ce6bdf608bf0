#!/bin/sh
# forebay query: SQL over live and abandoned segments, the forms of its output, what is
# forbidden, what a terminal gets to see, and who may.
. "$(dirname "$0")/lib.sh"

W=$(mktemp -d "${TMPDIR:-/var/tmp}/forebay-it-XXXXXX") || exit 1
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
mkdir "$W/log" "$W/journal"
J=$W/journal BIN=$top_builddir AS=
export FOREBAY_JOURNAL_DIR="$J" HOME="$W"

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
is "--line, and the other tables" \
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
like "nor open other files" "$(query "attach '$W/x.db' as x")" 'not authorized: only reading is allowed'
is "nor make any" "$(query "vacuum into '$W/x.db'" >/dev/null; find "$W" -name 'x.db*')" ""
like "nor run programs" "$(query '.shell id')" '^forebay: \.shell: no such command here'
like "a function that is not on the list" "$(query 'select randomblob(1)')" 'not authorized to use function: randomblob'
query -cmd 'select 1' 'select 2' >"$W/out"
is "an option that is not on the list is wrong usage" "$?" 64
like "and is named" "$(cat "$W/out")" '^forebay query: -cmd: no such option'
is "commands in place of SQL" "$(query .tables)" "event  rejection  request"
like "which tell of the tables" "$(query '.schema request')" '^CREATE TABLE request\(segment TEXT, seq INTEGER, '
is "a session" "$(printf '%s\n' 'select 1;' '.mode json' select '2 as two;' '-- ;' '.headers on' '.mode list' \
	'.separator ;' 'select 3 as a, null as b' | "$BIN/forebay" query)" '1
[{"two":2}]
a;b
3;'
out=$(printf 'select nonsense;\nselect 2;\n.quit\nselect 3;\n' | "$BIN/forebay" query 2>/dev/null)
is "one that goes on after an error, to its end" "$? $out" "1 2"

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

# The forms are the sqlite3 shell's.
values="select 1 as one, 'a|b' as \"long name\", null as n, 1.5 as r, x'41' as b, 'a'||char(9)||'b' as t union all
	select -22, 'x\"y, z', 'é', 9e999, 'two'||char(10)||'lines', '' union all select 3, ' ', '', -0.0, '''', 'x'"
if command -v sqlite3 >/dev/null; then
	for form in box column csv line list markdown table tabs; do
		sqlite3 -$form -header :memory: "$values" >"$W/theirs"
		query -$form -header "$values" >"$W/ours"
		is "-$form is what the sqlite3 shell writes" "$(diff "$W/theirs" "$W/ours")" ""
	done
	sqlite3 -separator ';' -nullvalue nil :memory: "$values" >"$W/theirs"
	is "so are -separator and -nullvalue" "$(query -separator ';' -nullvalue nil "$values" | diff "$W/theirs" -)" ""
else
	skip "no sqlite3 shell to compare with (Debian: sqlite3)"
fi
is "nothing is no output" "$(query -json -header 'select 1 where 0')$(query -box 'select 1 where 0')" ""
is "rows past 16 MiB are in a table of their own" \
	"$(query -table "select printf('%.9000000c', 'x') as large from event where seq <= 4 limit 4" | grep -c large)" 2

# What strangers have sent, on a terminal: ESC, BEL, DEL, C1, bytes that are no UTF-8, and what
# turns the direction of text round.
mkdir "$W/planted"
printf '{"t":"\033]0;x\007\177 \302\233\342\200\256\342\201\246\303\274"}\n!\033[31m\233\n' |
	"$BIN/tests/tools/journal_tool" plant "$W/planted" >/dev/null
planted() { FOREBAY_JOURNAL_DIR=$W/planted "$BIN/forebay" "$@"; }
# lines that a terminal should not get
harmful() {
	LC_ALL=C grep -acP '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]|(?<![\x80-\xff])[\x80-\xbf]'
}
everything="select payload from event union all select payload from rejection"
is "a pipe gets the bytes as they are" "$(planted query "$everything" | harmful)" 2
is "all of them" "$(planted query 'select payload from event' | od -An -tx1 | tr -d ' \n')" \
	"$(printf '{"t":"\033]0;x\007\177 \302\233\342\200\256\342\201\246\303\274"}\n' | od -An -tx1 | tr -d ' \n')"
if command -v script >/dev/null; then
	# on_terminal ARGUMENT...: what arrives there
	on_terminal() {
		{
			echo "export FOREBAY_JOURNAL_DIR='$W/planted'"
			printf "exec '%s/forebay'" "$BIN"
			printf ' "%s"' "$@"
		} >"$W/command"
		script -qec "sh $W/command" "$W/typescript" </dev/null | tr -d '\r'
	}
	clean() {			# clean WHAT ARGUMENT...
		local what out
		what=$1
		shift
		out=$(on_terminal "$@")
		is "a terminal gets none of it: $what" "$(printf '%s\n' "$out" | wc -c | awk '{ print ($1 > 20) }') $(printf '%s\n' "$out" | harmful)" "1 0"
	}
	for form in box column csv json line list markdown table tabs; do
		clean "query -$form" query -$form "$everything"
	done
	clean "names of columns" query "$(printf 'select 1 as [x\033]0;y\007 and a longer name]')"
	clean "errors" query "$(printf 'select nonsense\033[31m from event')"
	clean "tail" tail
	clean "tail --json" tail --json
	clean "tail --rejected --json" tail --rejected --json
	like "but all else" "$(on_terminal query -list "select payload from event")" '^\{"t":"\?\]0;x\?\? \?\?\?ü"\}$'
	like "in columns as wide as they look" "$(on_terminal query "select payload from event")" '│ \{"t":"\?\]0;x\?\? \?\?\?ü"\} │'
else
	skip "no script"
fi
done_testing
