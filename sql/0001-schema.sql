-- The tables of forebay, their two roles, and the functions that make and drop
-- partitions.
--
-- Files of this folder are applied in the order of their numbers by
-- `forebay db migrate`, each in one transaction. They only go forward and only add:
-- a program of the version before must go on working. A file that has been applied
-- anywhere is never changed; the next change is the next number.
--
-- Run by a superuser, or by the database's owner with CREATEROLE (as on RDS).

-- Roles belong to the whole cluster: another database may have made them.
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['forebay_owner', 'forebay_flusher'] LOOP
		CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = name);
		BEGIN
			EXECUTE format('CREATE ROLE %I NOLOGIN', name);
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL;	-- somebody made it just now
		END;
	END LOOP;
	-- who is not a superuser acts for the owner as a member
	IF NOT pg_has_role(current_user, 'forebay_owner', 'USAGE') THEN
		EXECUTE format('GRANT forebay_owner TO %I', current_user);
	END IF;
	-- the flusher keeps a temporary table
	EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO forebay_flusher',
		current_database());
END
$$;

CREATE SCHEMA forebay AUTHORIZATION forebay_owner;

SET LOCAL ROLE forebay_owner;

CREATE TABLE forebay.migration (
	number		integer PRIMARY KEY,
	name		text NOT NULL,
	checksum	text NOT NULL,		-- SHA-256 of the file
	applied_at	timestamptz NOT NULL DEFAULT now()
);

-- Which database this is. A flusher remembers the id beside its journal and stops
-- when its connection string suddenly leads elsewhere.
CREATE TABLE forebay.database (
	one		boolean PRIMARY KEY DEFAULT true CHECK (one),
	id		uuid NOT NULL DEFAULT gen_random_uuid(),
	created_at	timestamptz NOT NULL DEFAULT now()
);
INSERT INTO forebay.database DEFAULT VALUES;

-- Events. Each partition holds one day (UTC) of received_at and is unique in
-- fingerprint: two deliveries of one event are one row.
CREATE TABLE forebay.event (
	received_at	timestamptz NOT NULL,	-- the collector's clock
	fingerprint	uuid NOT NULL,		-- equal for two deliveries of one event
	key		text NOT NULL,		-- the write key's name, '' when keys are off
	source		text,
	id		text,			-- the client's, else a UUIDv7
	type		text,
	subject		text,
	time		timestamptz,		-- the event's own
	payload		jsonb NOT NULL,
	context		jsonb,			-- about the request
	segment		uuid NOT NULL,		-- where it stood in the journal
	seq		bigint NOT NULL
) PARTITION BY RANGE (received_at);

-- How far each journal segment stands here. Written in the transaction that loads
-- the rows: this table, and nothing else, says what is loaded.
--   last_seq = loaded + duplicates + quarantined + rejected
CREATE TABLE forebay.progress (
	segment		uuid PRIMARY KEY,
	node		text NOT NULL,
	last_seq	bigint NOT NULL DEFAULT 0,
	loaded		bigint NOT NULL DEFAULT 0,
	duplicates	bigint NOT NULL DEFAULT 0,
	quarantined	bigint NOT NULL DEFAULT 0,
	rejected	bigint NOT NULL DEFAULT 0,
	updated_at	timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000);

-- Rows that were accepted but that PostgreSQL refused, as they came.
CREATE TABLE forebay.quarantine (
	segment		uuid NOT NULL,
	seq		bigint NOT NULL,
	reason		text NOT NULL,		-- refused, clock, unique
	sqlstate	text,
	message		text NOT NULL,
	received_at	timestamptz,		-- NULL here and below: it cannot be stored
	fingerprint	uuid NOT NULL,
	key		text,
	source		text,
	id		text,
	type		text,
	subject		text,
	time		timestamptz,
	payload		bytea,			-- byte for byte
	context		bytea,
	quarantined_at	timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (segment, seq)
);

-- Input that was refused at the door and kept.
CREATE TABLE forebay.rejection (
	received_at	timestamptz NOT NULL,
	reason		text NOT NULL,		-- the code the client was told
	key		text,
	source		text,
	id		text,
	type		text,
	subject		text,
	time		timestamptz,
	payload		bytea,
	context		jsonb,
	segment		uuid NOT NULL,
	seq		bigint NOT NULL,
	PRIMARY KEY (segment, seq)
);
CREATE INDEX rejection_received_at ON forebay.rejection (received_at);

-- Makes the partition of one day unless it stands. ATTACH, unlike CREATE TABLE ...
-- PARTITION OF, does not lock out those who load into the parent meanwhile.
CREATE FUNCTION forebay.make_partition(day date) RETURNS void
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
		' INCLUDING COMPRESSION, UNIQUE (fingerprint))', name);
	EXECUTE format('ALTER TABLE forebay.event ATTACH PARTITION forebay.%I'
		' FOR VALUES FROM (%L) TO (%L)', name, day::timestamptz, (day + 1)::timestamptz);
END
$$;

-- Makes the partitions of the given days as far as they can be meant: not beyond
-- two days from now, not past the retention (0: ten years). Returns the days that
-- have a partition.
CREATE FUNCTION forebay.make_partitions(days date[], retention interval) RETURNS SETOF date
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '3s'
AS $$
DECLARE
	day date;
	today date := now()::date;
	oldest date := (now() - CASE WHEN retention > interval '0' THEN retention
		ELSE interval '10 years' END)::date;
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

-- Makes the partitions of today and the days ahead.
CREATE FUNCTION forebay.make_partitions_ahead(ahead integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '3s'
AS $$
BEGIN
	FOR n IN 0 .. least(ahead, 30) LOOP
		PERFORM forebay.make_partition(now()::date + n);
	END LOOP;
END
$$;

-- Drops the partitions whose whole day lies past the retention, and with them
-- rejections of that age and the progress of segments that nobody can hold any more:
-- `kept` is how long journals may keep a segment after its rows were loaded. Returns
-- how many partitions went. Who waits for a lock makes all others wait: so one that
-- is being read is left for the next time.
CREATE FUNCTION forebay.expire(retention interval, kept interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '1s'
AS $$
DECLARE
	part text;
	dropped integer := 0;
BEGIN
	IF retention IS NULL OR retention <= interval '0' THEN
		RAISE EXCEPTION 'the retention must be longer than nothing'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	DELETE FROM forebay.rejection WHERE received_at < now() - retention;
	DELETE FROM forebay.progress WHERE updated_at < now() - greatest(retention, kept) - interval '1 day';
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
		EXCEPTION WHEN lock_not_available THEN
			EXIT;
		END;
		dropped := dropped + 1;
	END LOOP;
	RETURN dropped;
END
$$;

-- The flusher's rights, granted to its login role: GRANT forebay_flusher TO name.
-- It can add events but not read what they say: the columns it may read tell
-- a duplicate from a row that something else keeps out.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA forebay FROM PUBLIC;
GRANT USAGE ON SCHEMA forebay TO forebay_flusher;
GRANT SELECT ON forebay.migration, forebay.database TO forebay_flusher;
GRANT INSERT, SELECT (received_at, fingerprint, segment, seq) ON forebay.event TO forebay_flusher;
GRANT SELECT, INSERT, UPDATE ON forebay.progress TO forebay_flusher;
GRANT INSERT ON forebay.quarantine, forebay.rejection TO forebay_flusher;
GRANT EXECUTE ON FUNCTION forebay.make_partitions(date[], interval),
	forebay.make_partitions_ahead(integer), forebay.expire(interval, interval) TO forebay_flusher;
