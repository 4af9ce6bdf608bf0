#!/bin/sh
# The flusher is killed between any two of its steps (base/crash.h), and its successor
# finds the work where PostgreSQL says (INV-12): each row stands once, and at every moment the
# books are those of the rows (INV-16). Each journal holds a second delivery, a rejection and a
# row that PostgreSQL refuses.
# CRASHES: how often at each point (3). POINTS, HOUSE_POINTS: only these, or none.
. "$(dirname "$0")/../integration/lib.sh"
CRASHES=${CRASHES:-3}
# name, and the most passes before it strikes
STEPS="connected:1 progress-read:2 collected:2 partitions:3 begun:3 locked:3 copying:3
	staged:2 loaded:3 rejected:3 quarantined:1 progressed:3 commit-sent:4 commit-answered:4 shipped:2"
HOUSE="claimed:1 unlinking:5 unlinked:1 renamed:4"
world
database
not_at_midnight 300
cp "$top_builddir/tests/fault/crashing_flusher" "$W/crashing" || bail "tests/fault/crashing_flusher is not built"
chmod 0755 "$W/crashing"
FLAGS="-o flush.batch_rows=5 -o flush.quarantine_per_min=1000000"

# Ten events, one of them twice, a rejection and a poison row; numbered on from N.
plant() {
	awk -v n="$N" 'BEGIN {
		for (i = 1; i <= 10; i++) print "{\"n\":" n + i "}"
		print "={\"n\":" n + 10 "}"
		print "!no json " n
		print "{\"n\":" n + 11 ",\"poison\":\"\\u0000\"}"
	}' | journal_tool plant "$J" >"$W/planted"
	N=$((N + 10))
}

# What two COMMITs would show: rows that progress does not count, or counts too early.
unbalanced() {
	sql "SELECT count(*) FROM forebay.progress p
		FULL JOIN (SELECT segment, count(*) n FROM forebay.event GROUP BY 1) e USING (segment)
		FULL JOIN (SELECT segment, count(*) n FROM forebay.quarantine GROUP BY 1) q USING (segment)
		FULL JOIN (SELECT segment, count(*) n FROM forebay.rejection GROUP BY 1) r USING (segment)
		WHERE coalesce(e.n, 0) <> coalesce(loaded, 0) OR coalesce(q.n, 0) <> coalesce(quarantined, 0)
		OR coalesce(r.n, 0) <> coalesce(rejected, 0)
		OR p.last_seq <> loaded + duplicates + quarantined + p.rejected"
}

begin() {
	sql "TRUNCATE forebay.event, forebay.progress, forebay.quarantine, forebay.rejection"
	as find "$J" -mindepth 1 -delete
	N=0 crashed=0 unbalanced=0
}

# crash NAME MAX FLAG ...
crash() {
	local name=$1 rc=0
	draw "$2"
	shift 2
	(FOREBAY_CRASH_AT=$name:$((DRAWN + 1)) as timeout 30 "$W/crashing" -c "$W/forebay.conf" $FLAGS "$@" \
		>>"$W/log/crash.log" 2>&1) 2>/dev/null || rc=$?
	[ $rc = 137 ] && crashed=$((crashed + 1))
	[ "$(unbalanced)" = 0 ] || unbalanced=$((unbalanced + 1))
}

# finish NAME: what all the dead have left behind is flushed
finish() {
	flusher $FLAGS
	ok "$1: everything is flushed" wait_drained 60
	stop flush
	is "$1: killed" $crashed "$CRASHES"
	is "$1: the books were true at every moment" $unbalanced 0
	is "$1: each row once" "$(sql "SELECT count(*), count(DISTINCT payload->>'n'), min((payload->>'n')::int),
		max((payload->>'n')::int), (SELECT count(*) FROM forebay.quarantine),
		(SELECT count(*) FROM forebay.rejection) FROM forebay.event")" "$N|$N|1|$N|$((N / 10))|$((N / 10))"
}

for point in ${POINTS-$STEPS}; do
	begin
	while [ $N -lt $((CRASHES * 10)) ]; do
		plant
		crash "${point%:*}" "${point#*:}"
	done
	finish "${point%:*}"
done

# House-keeping takes its time, a second a turn.
for point in ${HOUSE_POINTS-$HOUSE}; do
	begin
	flusher $FLAGS
	i=0
	while [ $i -lt "$CRASHES" ]; do
		i=$((i + 1))
		plant
		wait_drained 10
		stop flush
		# flushed, and then damaged
		[ "${point%:*}" = renamed ] && as truncate -s 0 "$J/$(cat "$W/planted").db"
		crash "${point%:*}" "${point#*:}" -o journal.keep=0 -o journal.keep_min=0
		flusher $FLAGS
	done
	stop flush
	finish "${point%:*}"
	flusher $FLAGS -o journal.keep=0 -o journal.keep_min=0
	ok "${point%:*}: nothing is left over" wait_until 60 sh -c "[ -z \"\$(find '$J' -maxdepth 1 -name '*-*')\" ]"
	stop flush
	[ "${point%:*}" = renamed ] || is "${point%:*}: nothing is taken for damage" "$(find "$J" -path '*aside/*' | wc -l)" 0
done
note "each $CRASHES"
done_testing
