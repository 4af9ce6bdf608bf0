-- Which duplicates say something else than the event that stands: by an
-- Idempotency-Key, and whatever else names an event without its content, two bodies are
-- one event. Asked by the flusher, which cannot read payload: it tells whether a payload
-- that is known is the one, and nothing else.

SET LOCAL ROLE forebay_owner;

-- The places in the arrays, from 1 on, of those whose fingerprint stands between the two
-- moments under another payload only.
CREATE FUNCTION forebay.differing(fingerprints uuid[], payloads jsonb[], since timestamptz, until timestamptz)
RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_seqscan = off
AS $$
	SELECT d.nth
	FROM unnest(fingerprints, payloads) WITH ORDINALITY d(fingerprint, payload, nth)
	JOIN forebay.event e ON e.fingerprint = d.fingerprint
		AND e.received_at >= since AND e.received_at < until
	GROUP BY d.nth
	HAVING bool_and(e.payload <> d.payload)
$$;
REVOKE EXECUTE ON FUNCTION forebay.differing(uuid[], jsonb[], timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forebay.differing(uuid[], jsonb[], timestamptz, timestamptz) TO forebay_flusher;
