-- Each day's partition says by what its rows are known: without a primary key, UPDATE and
-- DELETE, erasing for instance, are refused as soon as a publication publishes them. What
-- the parent says about that does not reach its partitions.

SET LOCAL ROLE forebay_owner;

-- As before, and with the identity.
CREATE OR REPLACE FUNCTION forebay.make_partition(day date) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO'
AS $$
DECLARE
	name text := 'event_' || to_char(day, 'YYYYMMDD');
	standing boolean;
BEGIN
	PERFORM pg_advisory_xact_lock(1718579813, 2);
	SELECT inhparent IS NOT NULL INTO standing
	FROM pg_class LEFT JOIN pg_inherits
		ON inhrelid = pg_class.oid AND inhparent = 'forebay.event'::regclass
	WHERE relnamespace = 'forebay'::regnamespace AND relname = name;
	IF standing THEN
		RETURN;
	ELSIF NOT standing THEN
		RAISE EXCEPTION 'forebay.% exists but is not a partition of forebay.event: attach it, or rename it', name
			USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	EXECUTE format('CREATE TABLE forebay.%I (LIKE forebay.event INCLUDING DEFAULTS'
		' INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE'
		' INCLUDING COMPRESSION, CONSTRAINT %I UNIQUE (fingerprint))', name, name || '_fingerprint_key');
	EXECUTE format('ALTER TABLE forebay.%I REPLICA IDENTITY USING INDEX %I', name, name || '_fingerprint_key');
	EXECUTE format('ALTER TABLE forebay.event ATTACH PARTITION forebay.%I'
		' FOR VALUES FROM (%L) TO (%L)', name, day::timestamptz, (day + 1)::timestamptz);
END
$$;

-- Those that stand; one that is being read is left as it is.
SET LOCAL lock_timeout = '1s';
DO $$
DECLARE
	part record;
BEGIN
	FOR part IN
		SELECT t.relname AS name, x.relname AS key
		FROM pg_inherits JOIN pg_class t ON t.oid = inhrelid JOIN pg_index ON indrelid = t.oid
			JOIN pg_class x ON x.oid = indexrelid
		WHERE inhparent = 'forebay.event'::regclass AND t.relnamespace = 'forebay'::regnamespace
		AND t.relreplident = 'd' AND x.relname = t.relname || '_fingerprint_key'
	LOOP
		BEGIN
			EXECUTE format('ALTER TABLE forebay.%I REPLICA IDENTITY USING INDEX %I', part.name, part.key);
		EXCEPTION WHEN lock_not_available THEN
			NULL;
		END;
	END LOOP;
END
$$;
