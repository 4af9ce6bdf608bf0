/*
 * How a batch gets into the sink: plain or staged, whole or in pieces, and which
 * row is to blame when it is refused. Knows three kinds of error: of a row, which is
 * found and quarantined; running out of time, which is a row's if it happens again when
 * others were answered without it; and all others, which are left to the caller to wait out.
 */
#ifndef FLUSH_SHIP_H
#define FLUSH_SHIP_H

#include "flush/batch.h"

/* How many rows may go to quarantine in a minute. Threads may share it: what several
 * find at one moment can exceed it, by less than a batch. */
struct ship_cap {
	uint64_t rows, used;	/* used: in this minute */
	int64_t minute_ms;	/* when it began */
};

struct ship {
	size_t limit, max;	/* rows in the next attempt; halved by errors */
	unsigned staged_left;	/* batches without a duplicate until COPY goes straight again */
	struct ship_cap *cap;
	char errmsg[1200];	/* of the last error */
};

/* What a call of ship() brought about; counts add up over calls until cleared. */
struct shipped {
	size_t rows;		/* of the batch, from its start, that are committed */
	uint64_t loaded, duplicates, differing, quarantined, rejected, passed, batches, failed;
};

void ship_init(struct ship *, size_t max_rows, struct ship_cap *);

/*
 * Sends the batch. ERR_OK: all of it is committed. ERR_FULL: the next row would be
 * one too many in quarantine this minute. Otherwise what the sink said: connect again
 * and read progress, for what is committed beyond `rows` is unknown.
 */
enum err ship(struct ship *, struct sink *, const struct batch *, struct shipped *) MUST_CHECK;

#endif
