#!/bin/sh
# One transaction at a time, by the sink's own functions: see sink_attempt.c.
. "$(dirname "$0")/lib.sh"
world
database
not_at_midnight 30
cp "$top_builddir/tests/integration/sink_attempt" "$W/bin-sink_attempt"
as "$W/bin-sink_attempt" "host=$W/run user=flusher dbname=forebay" "host=$W/run user=forebay dbname=forebay" \
	"$W/run" || FAILED=1
[ "$FAILED" = 0 ]
