/*
 * Rows of all segments within bounds, for the tables of query_table.h: segments one
 * after another, each closed before the next, none opened that cannot hold a match.
 * No read lasts longer than a few thousand rows, so a live segment is never pinned.
 */
#ifndef JOURNAL_QUERY_SCAN_H
#define JOURNAL_QUERY_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/dir.h"
#include "journal/sqlite.h"

#define SCAN_NOT	16	/* segments left out by name */
#define SCAN_EQUAL	4	/* columns with one wanted text */

/* Inclusive. What a row must meet; the tables' SQL checks all but received_at again. */
struct scan_bounds {
	int64_t seq_lo, seq_hi;
	int64_t at_lo, at_hi;			/* received_at, microseconds */
	bool one;				/* only `segment` */
	struct uuid segment;
	struct uuid not[SCAN_NOT];
	size_t n_not;
	char *equal[SCAN_EQUAL];		/* owned; parameters ?5 and on of the SQL */
};
void scan_bounds_init(struct scan_bounds *);
void scan_bounds_fini(struct scan_bounds *);

struct scan {
	const char *dir;			/* borrowed */
	char *sql;				/* owned; ?1, ?2 seq; ?3, ?4 received_at; inclusive */
	struct scan_bounds b;
	struct dir_segment *list;
	size_t n, at;
	sqlite3 *db;				/* of segment `current`; NULL: none */
	sqlite3_stmt *st;			/* on a row after scan_next() gave one */
	bool reading;				/* st is in the middle of a window of seqs */
	struct uuid current;
	char segment[UUID_TEXT];		/* the same as text */
	int64_t next, last;			/* seqs still to be read */
	int64_t deadline;			/* by clock_mono_ms() */
	uint64_t rows;
	unsigned opened;			/* segments, since the scan was made */
	char errmsg[256];
};

/* Begins anew with the sql and bounds that stand in it. */
enum err scan_begin(struct scan *) MUST_CHECK;
/* *got: there is a row. ERR_BUSY: the deadline has passed, or a segment is locked. */
enum err scan_next(struct scan *, bool *got) MUST_CHECK;
/* Frees everything; the struct is the caller's. */
void scan_end(struct scan *);

#endif
