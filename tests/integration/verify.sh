# shellcheck shell=sh
# verify.sh [--no-duplicates] [--dropped] ORACLE ...: what the load generator wrote
# down, against PostgreSQL and the journal, once everything is flushed. Prints one line
# for each thing that is wrong and a summary; status 1 when anything is.
#
#   I1  every acknowledged event is in PostgreSQL exactly once
#   I2  every other event that was sent is there at most once
#   I3  nothing is there that was not sent
#   I4  (segment, seq) is unique, a segment's rows have no hole, and a receipt names
#       the rows where the events stand
#   I5  payloads are stored as sent (identical bytes give the fingerprint; the id
#       column equals the payload's)
#   id  (INV-16) for each segment max(last seq, progress) = loaded + duplicates + quarantined
#       + rejected, nothing pending, and loaded rows are there
#
# --no-duplicates: nothing was sent twice, so nothing may count as a duplicate.
# --dropped: rows were dropped from the table on purpose: only the books must balance.

set -e
duplicates=allowed dropped=no
while :; do
	case $1 in
	--no-duplicates) duplicates=none ;;
	--dropped) dropped=yes ;;
	*) break ;;
	esac
	shift
done

# seed, first, n, attempts, receipt of the acknowledged attempt ('' when none)
attempts=$W/verify.attempts
awk '
	$1 == "seed" { seed = $2; next }
	{ k = seed " " $2; n[k] = $3 }
	$1 == "I" { tries[k]++ }
	$1 == "A" { acked[k] = $5 }
	END { for (k in n) { split(k, a); print a[1] "\t" a[2] "\t" n[k] "\t" tries[k] "\t" acked[k] } }
' "$@" >"$attempts"
# Before the journal: who claims a segment of a worker that was killed may find a turn in it that
# was written, and not answered, and that no reader has seen yet.
$AS "$PG/psql" -XqAt -v ON_ERROR_STOP=1 -h "${SERVER:-$W/run}" -U forebay -d forebay \
	-c "\\copy (SELECT segment, last_seq FROM forebay.progress) TO STDOUT" >"$W/verify.progress" || exit 1
segments=$($AS "$TOOLS/journal_tool" segments "$J")
printf '%s' "$segments" | tr ' ' '\t' >"$W/verify.segments"
chmod a+r "$attempts" "$W/verify.segments" "$W/verify.progress"

out=$($AS "$PG/psql" -XqAt -v ON_ERROR_STOP=1 -h "${SERVER:-$W/run}" -U forebay -d forebay <<END
SET work_mem = '64MB';
CREATE TEMP TABLE attempt (seed text, first bigint, n int, tries int, receipt text);
\\copy attempt FROM '$attempts'
CREATE TEMP TABLE journal (segment uuid, last_seq bigint, events bigint, rejections bigint);
\\copy journal FROM '$W/verify.segments'
CREATE TEMP TABLE before (segment uuid, last_seq bigint);
\\copy before FROM '$W/verify.progress'

CREATE TEMP TABLE sent AS
SELECT seed || '-' || lpad((first + i)::text, 12, '0') AS id, tries, receipt <> '' AS acked,
	nullif(split_part(receipt, ':', 1), '')::uuid AS segment,
	nullif(split_part(split_part(receipt, ':', 2), '-', 1), '')::bigint + i AS seq
FROM attempt, generate_series(0, n - 1) i;
CREATE TEMP TABLE stored AS
SELECT id, count(*) AS times, (array_agg(segment))[1] AS segment, (array_agg(seq))[1] AS seq,
	bool_and(payload->>'id' = id AND source = 'shop' AND type = 'order.paid') AS whole
FROM forebay.event WHERE source = 'shop' GROUP BY id;
ANALYZE sent; ANALYZE stored;

CREATE TEMP VIEW wrong AS
SELECT 'I1 acknowledged but missing' AS what, sent.id AS who
	FROM sent LEFT JOIN stored USING (id) WHERE acked AND stored.id IS NULL AND '$dropped' = 'no'
UNION ALL SELECT 'I2 stored more than once', id FROM stored WHERE times > 1
UNION ALL SELECT 'I3 stored but never sent', stored.id
	FROM stored LEFT JOIN sent USING (id) WHERE sent.id IS NULL
UNION ALL SELECT 'I4 twice in a segment', min(segment || ':' || seq)
	FROM forebay.event GROUP BY segment, seq HAVING count(*) > 1
UNION ALL SELECT 'I4 not where its receipt says', id || ' ' || stored.segment || ':' || stored.seq
	FROM sent JOIN stored USING (id)
	WHERE acked AND tries = 1 AND (sent.segment, sent.seq) IS DISTINCT FROM (stored.segment, stored.seq)
UNION ALL SELECT 'I4 journal has a hole', segment::text FROM journal WHERE last_seq <> events + rejections
UNION ALL SELECT 'I5 not as sent', id FROM stored WHERE NOT whole
UNION ALL SELECT 'id books do not balance', p::text FROM forebay.progress p
	WHERE last_seq <> loaded + duplicates + quarantined + rejected
UNION ALL SELECT 'id rejections do not match', segment::text FROM journal JOIN forebay.progress p USING (segment)
	WHERE p.rejected <> journal.rejections
UNION ALL SELECT 'id not all flushed', j::text FROM journal j LEFT JOIN forebay.progress p USING (segment)
	WHERE j.last_seq > coalesce(p.last_seq, 0)
UNION ALL SELECT 'id progress beyond the journal', j::text FROM journal j JOIN before p USING (segment)
	WHERE p.last_seq > j.last_seq
UNION ALL SELECT 'id counted as loaded but not there', segment || ' ' || coalesce(e.n, 0) || '/' || loaded
	FROM forebay.progress p LEFT JOIN (SELECT segment, count(*) AS n FROM forebay.event GROUP BY segment) e
	USING (segment) WHERE coalesce(e.n, 0) <> loaded AND '$dropped' = 'no'
UNION ALL SELECT 'id quarantine does not match', segment::text
	FROM forebay.progress p LEFT JOIN (SELECT segment, count(*) AS n FROM forebay.quarantine GROUP BY segment) q
	USING (segment) WHERE coalesce(q.n, 0) <> quarantined
UNION ALL SELECT 'duplicates where nothing was sent twice', segment::text FROM forebay.progress
	WHERE duplicates > 0 AND '$duplicates' = 'none';

SELECT 'WRONG ' || what || ': ' || count(*) || ', for example ' || min(who) FROM wrong GROUP BY what ORDER BY what;
SELECT 'sent ' || count(*) || ', acknowledged ' || count(*) FILTER (WHERE acked) || ', stored '
	|| (SELECT count(*) FROM stored) || ', duplicates ' || (SELECT coalesce(sum(duplicates), 0) FROM forebay.progress)
	|| ', quarantined ' || (SELECT coalesce(sum(quarantined), 0) FROM forebay.progress)
	|| ', segments ' || (SELECT count(*) FROM forebay.progress) FROM sent;
END
)
echo "$out"
case $out in *WRONG*) exit 1 ;; esac
[ "$(wc -l <"$attempts")" -gt 0 ]		# an empty oracle proves nothing
