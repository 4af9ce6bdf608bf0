#!/bin/sh
# Somebody drops today's partition under load: it is made again, loading goes on, and
# nothing is taken for poison.
. "$(dirname "$0")/lib.sh"
world
database
collector
nginx
flusher
not_at_midnight 30

load_start --rate 1000 --seconds 900 --oracle "$W/oracle"
for round in 1 2 3; do
	wait_until 30 sql_is "SELECT count(*) > 300 FROM forebay.event" t
	ok "today's partition is dropped ($round)" sql "SET lock_timeout = '5s';
		DROP TABLE forebay.event_$(date -u +%Y%m%d)"
	ok "it comes back, with rows" wait_until 30 sql_is "SELECT count(*) > 0 FROM forebay.event" t
done
kill "$LOAD"
load_end "clients noticed nothing"
ok "everything is flushed" wait_drained 30
is "nothing is in quarantine" "$(sql "SELECT count(*) FROM forebay.quarantine")" 0
verify "every event is accounted for" --no-duplicates --dropped "$W/oracle"
is "all of them" "$(sql "SELECT sum(loaded) FROM forebay.progress")" "$(grep -c ^A "$W/oracle")"
done_testing
