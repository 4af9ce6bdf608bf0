/*
 * The parts of `forebay audit`: the books of all segments, gathered from PostgreSQL and
 * the journal, and the single rows of those whose counts disagree.
 */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/uuid.h"
#include "sink/lookup.h"

/* What PostgreSQL and the journal say of a segment. */
struct book {
	struct uuid segment;
	char node[128];
	bool progress;			/* it has a row there */
	int64_t last_seq, loaded, duplicates, quarantined, rejected;
	int64_t events, distinct, both, lowest, highest, in_quarantine, in_rejection;
	char first_at[CLOCK_TEXT];	/* received_at of its first row in event, "" when there is none */
	int64_t journal;		/* last seq there, -1: not in this journal */
	bool whole;			/* and it could be read to its end */
};

struct audit {
	const struct conf *conf;
	struct lookup *lookup;
	struct book *books;
	size_t n, room;
	bool json, segments, tty;
	char oldest[CLOCK_TEXT];	/* first moment that has a partition, "" when there is none */
	char rejections[CLOCK_TEXT];	/* received_at of the oldest rejection, likewise */
	uint64_t findings, dropped;	/* dropped: segments whose partitions are gone */
	enum err failed;
	/* a run of findings that is not printed yet */
	const struct book *book;
	const char *kind, *detail;
	int64_t first, last;
};

/* Fills books, sorted by segment as far as PostgreSQL knows them, then the rest. */
enum err audit_gather(struct audit *) MUST_CHECK;
/* Names the holes, doubles and aliens of a segment, or says that its books are wrong. */
enum err audit_look_closer(struct audit *, const struct book *) MUST_CHECK;
/* Whether the duplicates of a segment that the journal has are some: names the holes. */
enum err audit_duplicates(struct audit *, const struct book *) MUST_CHECK;
/* One line, or one JSON object; counts it. */
void audit_finding(struct audit *, const char *kind, const char *place, const char *node,
		   const char *detail);
/* On a terminal: how far it is. of 0: no numbers. */
void audit_tell(const struct audit *, const char *what, size_t n, size_t of);

#endif
