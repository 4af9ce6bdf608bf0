-- Asking forebay.event for what stands in `payload`; for psql, and to be copied from.
-- The table is partitioned by day of received_at: a bound on received_at keeps the
-- other days unread.

-- What comes in: by type, in the last hour.
SELECT type, count(*), max(received_at) AS newest
FROM forebay.event
WHERE received_at > now() - interval '1 hour'
GROUP BY type
ORDER BY 2 DESC;

-- One member as text (->>), a nested one (#>>), a number.
SELECT received_at, subject, payload ->> 'currency' AS currency,
	payload #>> '{customer,country}' AS country, (payload ->> 'total')::numeric AS total
FROM forebay.event
WHERE type = 'order.created' AND received_at > now() - interval '1 day'
ORDER BY received_at DESC
LIMIT 20;

-- A member may be missing, or be no number in somebody's events: an error in one row
-- ends the whole statement, so ask first.
SELECT date_trunc('hour', received_at) AS hour, sum((payload ->> 'total')::numeric) AS total
FROM forebay.event
WHERE type = 'order.created' AND received_at > now() - interval '1 day'
	AND CASE WHEN jsonb_typeof(payload -> 'total') = 'number' THEN true
		ELSE payload ->> 'total' ~ '^-?[0-9]+(\.[0-9]+)?$' END
GROUP BY 1
ORDER BY 1;

-- The elements of an array, a row each.
SELECT item ->> 'sku' AS sku, sum((item ->> 'quantity')::int) AS sold
FROM forebay.event, jsonb_array_elements(
	CASE WHEN jsonb_typeof(payload -> 'items') = 'array' THEN payload -> 'items' ELSE '[]' END) AS item
WHERE type = 'order.created' AND received_at > now() - interval '7 days'
GROUP BY 1
ORDER BY 2 DESC;

-- Events that hold something, wherever the index may help (see the end).
SELECT received_at, id, payload
FROM forebay.event
WHERE payload @> '{"customer":{"country":"NL"}}' AND received_at > now() - interval '1 day'
ORDER BY received_at DESC
LIMIT 20;

-- Paths and conditions inside the document.
SELECT id, jsonb_path_query(payload, '$.items[*] ? (@.quantity > 2).sku') AS sku
FROM forebay.event
WHERE type = 'order.created' AND received_at > now() - interval '1 day';

-- Who sent it: address, user agent and more are in `context`.
SELECT context ->> 'client_ip' AS client, context ->> 'user_agent' AS agent, count(*)
FROM forebay.event
WHERE received_at > now() - interval '1 hour'
GROUP BY 1, 2
ORDER BY 3 DESC
LIMIT 20;

-- How long events were on their way, by the sender's clock.
SELECT source, percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY received_at - time) AS late
FROM forebay.event
WHERE time IS NOT NULL AND received_at > now() - interval '1 hour'
GROUP BY source;

-- A job that reads what is new, again and again, without losing or repeating: rows of
-- a segment arrive in the order of seq, so remember how far each segment was read.
--   SELECT segment, last_seq FROM forebay.progress;
-- and then, for each of them, with what was remembered as :seen (0 at first):
--   SELECT * FROM forebay.event
--   WHERE segment = :segment AND seq > :seen AND seq <= :last_seq ORDER BY seq;

-- What is often asked deserves an index; on a large table make it on each partition
-- with CREATE INDEX CONCURRENTLY first. Every index costs the flusher time.
--   CREATE INDEX ON forebay.event (type, received_at);
--   CREATE INDEX ON forebay.event ((payload ->> 'order')) WHERE type = 'order.created';
--   CREATE INDEX ON forebay.event USING gin (payload jsonb_path_ops);		-- for @>
