#!/bin/sh
# What becomes of segments: kept and removed, sent again after a failover, damaged or
# unfinished.
. "$(dirname "$0")/lib.sh"
world
database
not_at_midnight 60

# plant ROWS [DIR]
plant() { awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) print "{\"n\":" i "}" }' | journal_tool plant "${2:-$J}"; }
segments() { find "$J" -maxdepth 1 -name '*.db' | wc -l; }
segments_are() { [ "$(segments)" = "$1" ]; }
# logged PATTERN: since the last mark
MARK=1
mark() { MARK=$(($(wc -l <"$W/log/flush.log") + 1)); }
logged() { tail -n "+$MARK" "$W/log/flush.log" | grep -Eq -- "$1"; }
loaded() { sql_is "SELECT count(*) FROM forebay.event" "$1"; }
kick() { sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'flusher'" >/dev/null; }

# kept for debugging and for a failover
a=$(plant 100)
b=$(plant 100)
flusher
ok "two segments are loaded" wait_until 30 loaded 200
sleep 1.5
is "and kept" "$(segments)" 2
# a standby that lacked the last of it was promoted
sql "DELETE FROM forebay.event WHERE segment = '$b'; DELETE FROM forebay.progress WHERE segment = '$b';
	DELETE FROM forebay.event WHERE segment = '$a' AND seq > 40;
	UPDATE forebay.progress SET last_seq = 40, loaded = 40 WHERE segment = '$a'"
kick
ok "what a promoted standby lacked is sent again" wait_until 30 loaded 200
is "each row once" "$(sql "SELECT count(DISTINCT (segment, seq)) FROM forebay.event")" 200
stop flush
flusher -o journal.keep=1s -o journal.keep_min=1s
ok "past journal.keep they are removed" wait_until 30 segments_are 0
is "with all their files" "$(find "$J" -name '*-*' | wc -l)" 0

# an unfinished segment, as a worker leaves that was killed at its birth
as touch "$J/01934b1e-0000-7000-8000-000000000001.lock"
ok "an unfinished segment is removed" wait_until 30 test ! -e "$J/01934b1e-0000-7000-8000-000000000001.lock"
ok "without a fuss" sh -c "! grep -q aside '$W/log/flush.log'"
stop flush

# damage in the middle of the WAL: the rows before it are loaded, the file is kept
c=$(awk 'BEGIN { for (i = 1; i <= 1000; i++) print "{\"n\":" (i == 10 ? "\"\\u0000\"" : i) "}" }' |
	journal_tool plant "$J")
size=$(stat -c %s "$J/$c.db-wal")
printf 'XXXXXXXX' | dd of="$J/$c.db-wal" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
flusher -o journal.keep=1s -o journal.keep_min=1s
d=$(plant 10)
ok "a damaged segment is set aside" wait_until 30 test -e "$J/aside/$c.db-wal"
ok "with an alarm" wait_until 30 logged "flush.aside segment=$c"
ok "the good one is loaded" wait_until 30 sql_is "SELECT last_seq FROM forebay.progress WHERE segment = '$d'" 10
before=$(sql "SELECT last_seq FROM forebay.progress WHERE segment = '$c'")
note "$before of 1000 rows stood before the damage"
ok "and of the damaged one what could be read" test "$before" -gt 0 -a "$before" -lt 1000
is "each row, but for one in quarantine" "$(sql "SELECT count(*) FROM forebay.event WHERE segment = '$c'")" $((before - 1))
ok "nothing of it is removed" test -e "$J/aside/$c.db" -a -e "$J/aside/$c.lock"
is "it is counted" "$(forebay stats --json | grep -o 'set_aside_total":[0-9]*')" 'set_aside_total":1'
ok "the good one goes" wait_until 30 segments_are 0

# salvage: what lies behind the damage comes out; a file that gives nothing is no success
e=$(plant 10 "$J/aside")	# no flusher comes by there before it is damaged
: >"$J/aside/$e.db-wal"
forebay -o "flush.conninfo=host=$W/nowhere" salvage >/dev/null 2>&1
is "without PostgreSQL salvage does not guess what is there" $? 69
out=$(forebay salvage); rc=$?
is "salvage says that it did not get everything" "$rc" 1
like "nothing of a file without rows, of whose end nobody knows" "$out" \
	"^$e: 0 events salvaged, .*there may have been more rows; its files stay in aside\$"
ok "they do" test -e "$J/aside/$e.db"
unreadable=$(printf '%s\n' "$out" | sed -n "s/^$c: .* \([0-9]*\) of 1000 rows unreadable\$/\1/p")
ok "some rows of the other are lost, and it says how many" test "$unreadable" -lt 200
ok "its files are put away" test -e "$J/aside/salvaged/$c.db" -a ! -e "$J/aside/$c.lock"
ok "the rest arrives" wait_until 30 sql_is "SELECT count(DISTINCT payload->'n') FROM forebay.event
	WHERE segment NOT IN ('$a', '$b', '$d')" $((999 - ${unreadable:-0}))
is "what was in quarantine stands there once" "$(sql "SELECT count(*) FROM forebay.quarantine")" 1
is "nothing was sent twice" "$(sql "SELECT sum(duplicates) FROM forebay.progress")" 0
stop flush

done_testing
