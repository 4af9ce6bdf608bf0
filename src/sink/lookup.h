/*
 * What the operators' command asks of PostgreSQL: a table of questions, each one
 * statement that only reads. For a command that a person runs: waits are libpq's own.
 */
#ifndef SINK_LOOKUP_H
#define SINK_LOOKUP_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/err.h"

struct lookup;

/* Parameters -> columns. Times are text as in the journal's tables, in UTC; since and
 * until bound received_at to whole days, from the day before. */
enum lookup_question {
	/* segment -> node, last_seq, loaded, duplicates, quarantined, rejected, updated_at */
	LOOKUP_PROGRESS,
	/* segment, first, last -> "quarantined" or "rejected", seq, since when, reason, message */
	LOOKUP_REFUSED,
	/* {fingerprint,...}, since, until -> fingerprint, segment, seq, received_at: of forebay.event */
	LOOKUP_FINGERPRINTS,
	/* segment, first, last, since, until -> seq, received_at: of forebay.event */
	LOOKUP_SEQS,
	/* id, since, until -> "loaded" or as in LOOKUP_REFUSED, segment, seq, when, reason, message;
	 * at most 1000. Reads every row of that time. */
	LOOKUP_ID,
	/* -> first moment for which there is a partition; received_at of the oldest rejection */
	LOOKUP_OLDEST,
	/*
	 * -> segment, node, last_seq, loaded, duplicates, quarantined, rejected (all NULL: no
	 * progress), rows in event, distinct seqs of these, rows that stand in quarantine or
	 * rejection too, smallest, largest seq, rows in quarantine, rows in rejection, first
	 * received_at in event: one row a segment in the order of the names
	 */
	LOOKUP_BOOKS,
	/* segment, last_seq -> seq from 1 to last_seq that stands in no table; at most 100000 */
	LOOKUP_GAPS,
	/* segment -> seq that stands more than once in the three tables, how often */
	LOOKUP_DOUBLES,
	/* segment, last_seq -> seq of an event beyond it */
	LOOKUP_ALIENS,
	/* fingerprint, payload, since, until -> 1 when all that stands under it has another payload */
	LOOKUP_DIFFERS,
	/* -> partition in which nothing keeps a fingerprint unique */
	LOOKUP_UNGUARDED,
	/* -> partition, fingerprint that stands more than once there, "segment:seq segment:seq ..." */
	LOOKUP_TWINS,
	LOOKUP_COUNT
};

#define LOOKUP_PARAMS	5

/* conninfo NULL: flush.conninfo with flush.password_file. limit_ms: of each statement,
 * 0: none. ERR_DOWN, ERR_SETUP with errmsg. */
enum err lookup_open(struct lookup **, const struct conf *, const char *conninfo, int limit_ms,
		     char errmsg[1024]) MUST_CHECK;
void lookup_close(struct lookup **);

/* From here to the end all answers are of one moment. */
enum err lookup_freeze(struct lookup *) MUST_CHECK;

/* Called with the texts of a row's columns, NULL: absent, until it returns false. */
typedef bool lookup_row(void *arg, const char *const *columns);

/* ERR_BUSY: the time limit ran out; ERR_SETUP: no right, or no such table; ERR_DOWN. */
enum err lookup_ask(struct lookup *, enum lookup_question, const char *const params[],
		    lookup_row *, void *arg) MUST_CHECK;
const char *lookup_errmsg(const struct lookup *);	/* borrowed until the next call */

#endif
