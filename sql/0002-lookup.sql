-- What `forebay where` and `forebay audit` ask: the rows of one segment, and who may
-- ask. Segments arrive one after another, so a block range index, which costs an
-- insert next to nothing, leads to theirs.

SET LOCAL ROLE forebay_owner;

CREATE INDEX event_segment ON forebay.event USING brin (segment)
	WITH (pages_per_range = 32, autosummarize = on);

-- Still not what events say: the id, and of what was refused the place and the reason.
GRANT SELECT (id, tableoid) ON forebay.event TO forebay_flusher;
GRANT SELECT (segment, seq, id, reason, sqlstate, message, quarantined_at) ON forebay.quarantine
	TO forebay_flusher;
GRANT SELECT (segment, seq, id, reason, received_at) ON forebay.rejection TO forebay_flusher;
