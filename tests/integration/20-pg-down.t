#!/bin/sh
# PostgreSQL goes away under load: clients notice nothing, and everything arrives
# once it is back. Ten seconds; FULL=1 makes it a minute at ten times the rate.
. "$(dirname "$0")/lib.sh"
if [ -n "${FULL:-}" ]; then AWAY=60 RATE=5000; else AWAY=10 RATE=500; fi
world
database
collector -o journal.segment_age=3s
nginx
flusher -o journal.keep=0 -o journal.keep_min=0

load_start --rate $RATE --seconds $((AWAY + 5)) --oracle "$W/oracle"
wait_until 30 sql_is "SELECT count(*) > 100 FROM forebay.event" t
ok "PostgreSQL stops" pg_stop fast
before=$(wc -l <"$W/oracle")
sleep $AWAY
ok "clients go on posting" test "$(wc -l <"$W/oracle")" -gt $((before + RATE * AWAY))
http GET /readyz >/dev/null
is "the node stays ready" "$(status)" 200
ok "the flusher stays up" running flush
pg_start
load_end "no answer but 202"
ok "everything arrives" wait_drained 60
stop flush	# it removes segments
verify "each acknowledged event once" --no-duplicates "$W/oracle"
done_testing
