/*
 * Where batches go: a table of functions, with PostgreSQL (pg.c) and nothing
 * (null.c) behind it.
 *
 * Promise: sink_attempt() that returns ERR_OK has committed each row of the batch
 * that lay past its segment's progress, with that progress, in one transaction; any
 * other return has committed nothing, except that after ERR_DOWN it may have: read
 * progress again before the next attempt.
 */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "event/row.h"

#define SINK_SEGMENTS_MAX 32	/* segments in one batch */

/* Rows [first, first + n) of a batch: consecutive seqs of one segment. */
struct sink_part {
	struct uuid segment;
	size_t first, n;
};

struct sink_batch {
	const struct row *rows;
	size_t n_rows;
	struct sink_part parts[SINK_SEGMENTS_MAX];
	size_t n_parts;
};

enum sink_mode { SINK_PLAIN, SINK_STAGED };	/* COPY into the table, or by way of a temporary one */

/* A row found unstorable when tried alone. */
struct sink_bad { size_t row; char sqlstate[6]; char message[512]; };

struct sink_result {
	uint64_t loaded, duplicates, quarantined, rejected;
	/* set when a statement that loads events refused a row (ERR_INVALID) */
	char sqlstate[6];
	size_t row_hint;	/* row the server's context names, or SIZE_MAX; can be wrong */
};

struct sink_progress { struct uuid segment; bool known; int64_t last_seq; };

struct sink;
struct sink_ops {
	/* Connects and checks encoding, synchronous_commit, schema and the database's
	 * identity. ERR_DOWN: not reachable, try again. ERR_SETUP: a person must act; the
	 * message says what to type. */
	enum err (*connect)(struct sink *);
	/* Fills known and last_seq of each. */
	enum err (*progress)(struct sink *, struct sink_progress *, size_t n);
	/*
	 * One transaction: partitions, progress locks, load, quarantine, progress, COMMIT.
	 * ERR_BUSY: a duplicate key under SINK_PLAIN; try again with SINK_STAGED.
	 * ERR_INVALID: a row was refused, see result. ERR_DOWN: connection lost, outcome
	 * unknown. ERR_SETUP and the rest: wait and try again.
	 */
	enum err (*attempt)(struct sink *, const struct sink_batch *, enum sink_mode,
			    const struct sink_bad *bad, size_t n_bad, struct sink_result *);
	/* Makes partitions ahead and drops old ones. */
	enum err (*maintain)(struct sink *);
	void (*close)(struct sink **);
};

struct sink { const struct sink_ops *ops; char errmsg[1024]; };

/* state_dir: where the database's uuid is remembered (the journal's directory). conf
 * and state_dir must outlive the sink. */
enum err sink_pg_open(struct sink **, const struct conf *, const char *state_dir,
		      const char *node) MUST_CHECK;
enum err sink_null_open(struct sink **) MUST_CHECK;

#endif
