/*
 * A batch in memory: rows copied out of segments, in the order in which they are
 * sent. Bounded in rows and bytes; one larger row goes alone. It is complete before it is
 * sent (INV-13).
 */
#ifndef FLUSH_BATCH_H
#define FLUSH_BATCH_H

#include "sink/sink.h"

struct batch {
	struct row *rows;		/* their slices point into text */
	size_t n, max;
	char *text;
	size_t used, room, limit;	/* room: allocated; limit: batch_bytes */
	struct sink_part parts[SINK_SEGMENTS_MAX];
	size_t n_parts;
};

enum err batch_init(struct batch *, size_t max_rows, size_t max_bytes) MUST_CHECK;
void batch_fini(struct batch *);
void batch_clear(struct batch *);

/* Rows that are added next are this segment's, which has none in the batch yet.
 * false: it does not fit. */
bool batch_segment(struct batch *, struct uuid, bool known);
/* Copies a row. false: the batch is full, or out of memory while it is empty. */
bool batch_add(struct batch *, const struct row *);

/* The first and the last UTC day of its rows, which each segment has in the order of
 * time; of an empty batch first is past last. */
void batch_days(const struct batch *, int64_t *first, int64_t *last);

/* Rows [from, from + n) as the sink takes them; borrows from the batch. */
void batch_slice(const struct batch *, size_t from, size_t n, struct sink_batch *out);

#endif
