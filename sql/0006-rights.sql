-- What a flusher whose password was stolen, or a slip of the hand, can do to what is
-- loaded: progress moves by forebay.advance() only, events leave by the owner's word only.
--
-- Before the first release, and therefore not as the rule of 0001 says: a flusher from before this
-- file changes forebay.progress itself, and may no longer. It waits, with an alarm, until it
-- is replaced; events stand in the journals meanwhile.

SET LOCAL ROLE forebay_owner;

-- --- progress -------------------------------------------------------------------------

-- Every row is counted once, whoever changes it. NOT VALID: what stands is not judged.
ALTER TABLE forebay.progress ADD CONSTRAINT progress_adds_up CHECK (
	least(loaded, duplicates, quarantined, rejected) >= 0
	AND last_seq = loaded + duplicates + quarantined + rejected) NOT VALID;

-- Locks the rows of `segments` to the end of the transaction, in one order; those of
-- `missing` among them are made first.
CREATE FUNCTION forebay.lock_progress(segments uuid[], missing uuid[], node text)
RETURNS TABLE (locked uuid, last bigint)
LANGUAGE plpgsql SECURITY DEFINER ROWS 32
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF cardinality(missing) > 0 THEN
		INSERT INTO forebay.progress AS p (segment, node)
			SELECT m, lock_progress.node FROM unnest(missing) m ORDER BY m ON CONFLICT DO NOTHING;
	END IF;
	RETURN QUERY SELECT p.segment, p.last_seq FROM forebay.progress p
		WHERE p.segment = ANY (segments) ORDER BY p.segment FOR UPDATE;
END
$$;

-- Moves progress over the rows that this transaction has accounted for, and returns how
-- many segments moved: those that stood at `since`.
CREATE FUNCTION forebay.advance(segments uuid[], since bigint[], upto bigint[], loaded bigint[],
	duplicates bigint[], quarantined bigint[], rejected bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	moved bigint;
BEGIN
	IF EXISTS (SELECT FROM unnest(since, upto, loaded, duplicates, quarantined, rejected) v(s, u, l, d, q, r)
		WHERE (least(l, d, q, r) >= 0 AND u > s AND u - s = l + d + q + r) IS NOT TRUE) THEN
		RAISE EXCEPTION 'the numbers of rows do not add up' USING ERRCODE = 'check_violation';
	END IF;
	UPDATE forebay.progress p SET last_seq = v.u, loaded = p.loaded + v.l, duplicates = p.duplicates + v.d,
		quarantined = p.quarantined + v.q, rejected = p.rejected + v.r, updated_at = now()
	FROM unnest(segments, since, upto, advance.loaded, advance.duplicates, advance.quarantined, advance.rejected)
		v(segment, s, u, l, d, q, r)
	WHERE p.segment = v.segment AND p.last_seq = v.s;
	GET DIAGNOSTICS moved = ROW_COUNT;
	RETURN moved;
END
$$;

-- Sets a segment's progress to the last of its rows up to `upto` that stands in a table, and
-- says where that is. What comes after it is sent again by the flusher whose journal has it;
-- a duplicate is found to be one. By the owner, when progress was moved by somebody else.
CREATE FUNCTION forebay.recount(which uuid, upto bigint DEFAULT 9223372036854775807) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n record;
BEGIN
	PERFORM FROM forebay.progress WHERE segment = which FOR UPDATE;
	SELECT coalesce(max(seq), 0) AS last, count(*) FILTER (WHERE place = 'e') AS e,
		count(*) FILTER (WHERE place = 'q') AS q, count(*) FILTER (WHERE place = 'r') AS r INTO n
	FROM (SELECT seq, 'e' AS place FROM forebay.event WHERE segment = which
		UNION ALL SELECT seq, 'q' FROM forebay.quarantine WHERE segment = which
		UNION ALL SELECT seq, 'r' FROM forebay.rejection WHERE segment = which) x
	WHERE seq <= upto;
	UPDATE forebay.progress SET last_seq = n.last, loaded = n.e, quarantined = n.q, rejected = n.r,
		duplicates = n.last - n.e - n.q - n.r, updated_at = now()
	WHERE segment = which;
	RETURN n.last;
END
$$;

-- --- retention ------------------------------------------------------------------------

-- What the owner lets be dropped: nothing, or what is older than that. By
-- `forebay db migrate --retention`.
CREATE TABLE forebay.retention (
	one		boolean PRIMARY KEY DEFAULT true CHECK (one),
	events		interval CHECK (events > interval '0')
);
INSERT INTO forebay.retention DEFAULT VALUES;

-- As before, of days that the owner lets go only; rejections have their own.
CREATE OR REPLACE FUNCTION forebay.expire(retention interval, kept interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '1s'
AS $$
DECLARE
	piece CONSTANT interval := '0.2 s';
	until timestamptz := clock_timestamp() + piece;
	least_retention interval := (SELECT events FROM forebay.retention);
	before timestamptz := now() - retention;
	part text;
	gone record;
	n integer := 0;
BEGIN
	IF retention IS NULL OR retention <= interval '0' THEN
		RAISE EXCEPTION 'the retention must be longer than nothing'
			USING ERRCODE = 'invalid_parameter_value';
	ELSIF least_retention IS NULL THEN
		RAISE EXCEPTION 'the owner of the tables has not said that events may be dropped'
			USING ERRCODE = 'ZF001';
	-- moments, for intervals of months are compared as if each had 30 days
	ELSIF before > now() - least_retention THEN
		RAISE EXCEPTION 'the owner of the tables keeps events for at least %', justify_hours(least_retention)
			USING ERRCODE = 'ZF001';
	END IF;
	IF NOT pg_try_advisory_xact_lock(1718579813, 3) THEN
		RETURN 0;
	END IF;
	FOR part IN
		SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
		WHERE inhparent = 'forebay.event'::regclass
		AND relnamespace = 'forebay'::regnamespace
		AND CASE WHEN relname ~ '^event_[0-9]{8}$'
			THEN to_date(substr(relname, 7), 'YYYYMMDD') + 1 <= before END
		ORDER BY relname
	LOOP
		BEGIN
			EXECUTE format('DROP TABLE forebay.%I', part);
			n := n + 1;
		EXCEPTION
			WHEN lock_not_available THEN EXIT;
			WHEN undefined_table THEN NULL;	-- somebody was quicker, by hand
		END;
		EXIT WHEN clock_timestamp() > until;
	END LOOP;
	until := clock_timestamp() + piece;
	before := least(before, now() - kept) - interval '1 day';
	FOR gone IN SELECT segment FROM forebay.progress WHERE updated_at < before LOOP
		DELETE FROM forebay.progress WHERE segment = gone.segment AND updated_at < before;
		n := n + 1;
		EXIT WHEN clock_timestamp() > until;
	END LOOP;
	RETURN n;
END
$$;

-- Rejections older than that, a day at least; in pieces, as above.
CREATE FUNCTION forebay.expire_rejections(retention interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1s'
AS $$
DECLARE
	until timestamptz := clock_timestamp() + interval '0.2 s';
	before timestamptz := least(now() - retention, now() - interval '1 day');
	gone record;
	n integer := 0;
BEGIN
	IF NOT pg_try_advisory_xact_lock(1718579813, 3) THEN
		RETURN 0;
	END IF;
	FOR gone IN SELECT segment, seq FROM forebay.rejection WHERE received_at < before LOOP
		DELETE FROM forebay.rejection WHERE segment = gone.segment AND seq = gone.seq;
		n := n + 1;
		EXIT WHEN clock_timestamp() > until;
	END LOOP;
	RETURN n;
END
$$;

-- As before, and ten years at the most: a day further back is nobody's.
CREATE OR REPLACE FUNCTION forebay.make_partitions(days date[], retention interval) RETURNS SETOF date
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '3s'
AS $$
DECLARE
	day date;
	today date := now()::date;
	oldest date := greatest(CASE WHEN retention > interval '0' THEN now() - retention END,
		now() - interval '10 years')::date;
BEGIN
	FOR day IN SELECT DISTINCT d FROM unnest(days) d ORDER BY d LOOP
		IF day BETWEEN oldest AND today + 2 THEN
			PERFORM forebay.make_partition(day);
			RETURN NEXT day;
		ELSIF EXISTS (SELECT FROM pg_inherits
			WHERE inhparent = 'forebay.event'::regclass
			AND inhrelid = to_regclass('forebay.event_' || to_char(day, 'YYYYMMDD'))) THEN
			RETURN NEXT day;
		END IF;
	END LOOP;
END
$$;

-- --- rights -----------------------------------------------------------------------------

REVOKE EXECUTE ON FUNCTION forebay.lock_progress(uuid[], uuid[], text), forebay.recount(uuid, bigint),
	forebay.advance(uuid[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[]),
	forebay.expire_rejections(interval) FROM PUBLIC;
REVOKE INSERT, UPDATE ON forebay.progress FROM forebay_flusher;
GRANT EXECUTE ON FUNCTION forebay.lock_progress(uuid[], uuid[], text),
	forebay.advance(uuid[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[]),
	forebay.expire_rejections(interval) TO forebay_flusher;
