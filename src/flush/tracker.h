/*
 * The segments of the journal as the flusher sees them: how far each is in
 * PostgreSQL, which writers are gone, what may be removed.
 *
 *   live     its writer holds the lock; rows are read from the WAL as they come
 *   final    claimed once and checked: last_seq will not change any more
 *   done     final, and progress read from PostgreSQL covers it
 *
 * A segment leaves by removal (done and old enough) or by being set aside (damaged,
 * and what can be read of it is in PostgreSQL).
 */
#ifndef FLUSH_TRACKER_H
#define FLUSH_TRACKER_H

#include "base/stat.h"
#include "flush/batch.h"
#include "journal/dir.h"
#include "journal/segment.h"

struct seg {
	struct dir_segment d;
	struct segment *reader;		/* NULL while nothing is to be read */
	unsigned epoch;			/* connection in which progress was read */
	bool known;			/* it has a progress row */
	bool final, damaged, tail_damaged, stray;
	bool foreign;			/* of another format: it waits for a person */
	bool over;			/* so does this one: progress was read that it had not the rows for */
	bool passed;			/* somebody else has moved its progress: it is read again */
	int64_t progress, confirmed;	/* committed; read from PostgreSQL */
	int64_t ahead;			/* in a batch that is not committed yet; progress at least */
	int64_t last_seq;		/* as last read; exact once final */
	bool counted;			/* it was read, for files that had changed at: */
	int64_t counted_at;
	bool due_known;			/* told to stop, its last row was looked up: */
	int64_t due;
	int64_t done_ms;		/* since when it is done, CLOCK_MONOTONIC; 0: it is not */
	enum { STAYS, ASK_ONCE_MORE, MAY_GO } leaving;	/* progress is read again before removal */
};

struct tracker {
	const struct conf *conf;
	const char *dir;
	struct seg *segs;
	size_t n, next;			/* next: whose turn it is in house-keeping, modulo n */
	unsigned epoch;			/* counts connections */
	bool connected;			/* the last of them lasts */
	int64_t dir_mtime_us;
	bool tight, again;		/* again: strays are looked up once more */
	bool closed;			/* told to stop: nothing of further segments is due */
	struct stat_slot *stat;
	char unreadable[256];		/* why something could not be read since the last house-keeping */
	char immovable[128];		/* why something could not be removed since then */
	unsigned hindered;		/* house-keepings in a row that found it so */
	char errmsg[512];		/* what a person has to mend, "" when nothing */
};

void tracker_init(struct tracker *, const struct conf *, struct stat_slot *);
void tracker_fini(struct tracker *);

/* Lists the directory when it has changed (or `always`). */
enum err tracker_scan(struct tracker *, bool always) MUST_CHECK;
/* A new connection: what was read of progress before counts no more (INV-12). Or its end. */
void tracker_connected(struct tracker *, bool yes);
/* Reads progress of the segments for which this connection has not, and of those
 * about to be removed. */
enum err tracker_progress(struct tracker *, struct sink *) MUST_CHECK;
/* Fills an empty batch with rows that were in none yet, oldest segments first; `all`:
 * of segments too that have rows in another batch. true: it is full, there may be more.
 * Of thousands of segments it looks at those it gets to within half a second. */
bool tracker_collect(struct tracker *, struct batch *, bool all);
/* Whether all rows before the batch's are committed, so that it can be shipped. */
bool tracker_is_next(struct tracker *, const struct batch *);
/* The first `rows` of the batch are committed. */
void tracker_loaded(struct tracker *, const struct batch *, size_t rows);
/* Of the batch there were rows that progress covered before they were sent. */
void tracker_passed(struct tracker *, const struct batch *);
/* What is in batches but not committed will be collected again. No batch may be on its way. */
void tracker_rewind(struct tracker *);
/* Opens its reader unless it is open; false after telling why. */
bool tracker_open(struct tracker *, struct seg *);
/* Closes its reader after an error; what is damaged is marked. */
void tracker_trouble(struct tracker *, struct seg *, enum err, const char *why);
/* Its last_seq was just read from its file: compares it with progress. */
void tracker_judge(struct seg *);
/* house.c. Once a second: claims, sets aside, removes, and sets the gauges. Takes about
 * twice that many milliseconds, or one segment's time; the rest is for the next time. */
void tracker_keep_house(struct tracker *, int64_t ms);
/* Rows that are not known to be in PostgreSQL. Segments are counted for about that many
 * milliseconds; one that has to wait for its turn, or cannot be read, has at least one row. */
uint64_t tracker_pending(struct tracker *, int64_t ms);
/* Whether there are such rows, or progress is to be read before a segment may go. */
bool tracker_wants(struct tracker *, int64_t ms);
/* Told to stop: whether all rows that stood in the segments at the first of these calls
 * are in PostgreSQL; later ones, of a collector that goes on, do not count, nor what waits
 * for a person. Looks for about that many milliseconds; false before each segment has had
 * its turn. */
bool tracker_carried(struct tracker *, int64_t ms);

#endif
