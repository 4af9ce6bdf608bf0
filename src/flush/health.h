/*
 * How the flusher is, and how it says so: the gauges and counters of flush.*, log lines
 * that do not repeat themselves, and how long to pause. It decides nothing else.
 */
#ifndef FLUSH_HEALTH_H
#define FLUSH_HEALTH_H

#include "base/stat.h"
#include "flush/ship.h"

/* What was said last of one thing, and when it may be said again. */
struct complaint { char text[1200]; int64_t again; };

struct health {
	bool up;			/* as forebay_postgres_up says */
	bool stuck;			/* it takes a person to go on */
	/* private */
	struct stat_slot *stat;
	bool journal_ill;
	bool unheard;			/* the last batch could not be announced */
	unsigned failures, unmaintained;	/* in a row */
	struct complaint sink_says, journal_says, maintenance_says;
};

/* All zeros but for the slot, which has to outlive it. */
void health_init(struct health *, struct stat_slot *);

/* The sink failed; up: the connection goes on. Returns how many milliseconds to pause. */
int64_t health_failed(struct health *, enum err, const char *why, bool up);
/* There is nothing that would not be taken. */
void health_at_ease(struct health *);
/* A part of a batch was taken: pauses grow where nothing moves. */
void health_moved(struct health *);
/* A batch was taken. */
void health_went_well(struct health *);
/* What came of a batch, whole or in part. */
void health_shipped(struct health *, const struct shipped *);
/* What the sink could not announce of it, which it then forgets. */
void health_announced(struct health *, struct sink *, uint64_t loaded);
/* What came of maintain(): ERR_INVALID is told, the second time as an alarm. */
void health_maintained(struct health *, enum err, const char *why);
/* After house-keeping: what a person has to mend of the journal, "" when nothing. */
void health_journal(struct health *, const char *why);

#endif
