-- Retention in pieces: a table that is years too old takes longer than a statement
-- may, and a statement that is cut off has done nothing.

SET LOCAL ROLE forebay_owner;

-- As before, for at most some tenths of a second of partitions and as much again of
-- rows; returns how many of both went, 0: nothing is left for now. One node at a
-- time: another one has nothing to do meanwhile.
CREATE OR REPLACE FUNCTION forebay.expire(retention interval, kept interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '1s'
AS $$
DECLARE
	piece CONSTANT interval := '0.2 s';
	until timestamptz := clock_timestamp() + piece;
	part text;
	gone record;
	n integer := 0;
BEGIN
	IF retention IS NULL OR retention <= interval '0' THEN
		RAISE EXCEPTION 'the retention must be longer than nothing'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT pg_try_advisory_xact_lock(1718579813, 3) THEN
		RETURN 0;
	END IF;
	FOR part IN
		SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
		WHERE inhparent = 'forebay.event'::regclass
		AND relnamespace = 'forebay'::regnamespace
		AND CASE WHEN relname ~ '^event_[0-9]{8}$'
			THEN to_date(substr(relname, 7), 'YYYYMMDD') + 1 <= now() - retention END
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
	FOR gone IN SELECT segment, seq FROM forebay.rejection WHERE received_at < now() - retention LOOP
		DELETE FROM forebay.rejection WHERE segment = gone.segment AND seq = gone.seq;
		n := n + 1;
		EXIT WHEN clock_timestamp() > until;
	END LOOP;
	until := until + piece;
	FOR gone IN SELECT segment FROM forebay.progress
		WHERE updated_at < now() - greatest(retention, kept) - interval '1 day'
	LOOP
		DELETE FROM forebay.progress WHERE segment = gone.segment
			AND updated_at < now() - greatest(retention, kept) - interval '1 day';
		n := n + 1;
		EXIT WHEN clock_timestamp() > until;
	END LOOP;
	RETURN n;
END
$$;
