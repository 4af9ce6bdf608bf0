#!/bin/sh
# The answer to COMMIT is lost: the flusher cannot know whether its batch stands, asks
# progress (INV-12), and neither loses nor doubles a row. LOST: how often (5).
. "$(dirname "$0")/../integration/lib.sh"
LOST=${LOST:-5}
[ -x /usr/bin/python3 ] || skip_all "no /usr/bin/python3"
world
database
collector -o journal.segment_age=2s
nginx
as mkdir "$W/proxy"
as cp "$top_srcdir/tests/fault/cut_proxy.py" "$W/proxy.py" 2>/dev/null || cp "$top_srcdir/tests/fault/cut_proxy.py" "$W/proxy.py"
: >"$W/cuts"
chmod a+rw "$W/cuts"
chmod a+r "$W/proxy.py"
spawn proxy /usr/bin/python3 "$W/proxy.py" "$W/proxy/.s.PGSQL.5432" "$W/run/.s.PGSQL.5432" "$SEED" "$W/cuts" "$LOST"
wait_until 30 test -S "$W/proxy/.s.PGSQL.5432" || bail "the proxy does not start"
flusher -o flush.conninfo="host=$W/proxy user=flusher dbname=forebay" -o flush.batch_age=20ms -o flush.batch_rows=200

load_start --rate 1000 --seconds 900 --oracle "$W/oracle"
cuts() { wc -l <"$W/cuts"; }
enough() { [ "$(cuts)" -ge "$LOST" ]; }
ok "$LOST answers are lost" wait_until $((LOST * 3 + 30)) enough
kill $LOAD 2>/dev/null
load_end "no answer but 202"
note "cuts: $(sort "$W/cuts" | uniq -c | tr -s '\n ' ', ')"
ok "everything arrives" wait_drained 60
ok "each acknowledged event once, none counted twice" verify --no-duplicates "$W/oracle"
done_testing
