/*
 * Where batches go: a table of functions, with PostgreSQL (pg.c) behind it, or, in
 * tests, nothing (tests/tools/null_sink.c).
 *
 * Promise: attempt() that returns ERR_OK has committed each row of the batch that
 * lay past its segment's progress, with that progress, in one transaction (INV-12); any other
 * return has committed nothing, except that after ERR_DOWN it may have: connect
 * and read progress again before the next attempt.
 *
 * After ERR_BUSY, ERR_INVALID and ERR_FULL the connection goes on; after every other
 * error connect() comes next. Nothing here waits for ever. tick() is called before each
 * wait for the other side, and several times a second in it, but where libpq itself waits
 * when it connects: for the name service, and for the next of several hosts, there
 * connect_timeout for each. A sink is one thread's at a time.
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
	bool known;		/* it has a progress row, as read or committed before */
};

/* Each segment has at most one part. */
struct sink_batch {
	const struct row *rows;
	size_t n_rows;
	struct sink_part parts[SINK_SEGMENTS_MAX];
	size_t n_parts;
};

enum sink_mode { SINK_PLAIN, SINK_STAGED };	/* COPY, or only of what is not there yet */

/* What happened to a row when it was tried: PostgreSQL refused it, or did not come to an
 * end with it in time, which may be the row or the moment. */
enum sink_why { SINK_REFUSED, SINK_TIMED_OUT };

/* A row found unstorable; no event data in the message. */
struct sink_bad { size_t row; enum sink_why why; char sqlstate[6]; char message[512]; };

struct sink_result {
	/* after ERR_OK */
	uint64_t loaded, duplicates, quarantined, rejected;
	uint64_t passed;		/* progress covered them: somebody else has moved it */
	/* of the duplicates, those that say something else than what stands; the first of them */
	uint64_t differing;
	size_t differs;
	/* after ERR_INVALID: what the statement that loads rows was told */
	struct sink_bad refused;	/* row: what the server's context names, or SIZE_MAX; can be wrong */
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
	 * Rows in bad, rows of days that can have no partition, and rows that a unique
	 * index other than the fingerprint's keeps out are quarantined, at most `room`.
	 * ERR_BUSY: a duplicate key under SINK_PLAIN; try again with SINK_STAGED.
	 * ERR_INVALID: a row was refused or took too long, see result. ERR_FULL: more than
	 * room, but the others were taken, so that room 0 is a rehearsal. ERR_DOWN:
	 * connection lost, outcome unknown. ERR_SETUP and the rest: wait and try again.
	 */
	enum err (*attempt)(struct sink *, const struct sink_batch *, enum sink_mode,
			    const struct sink_bad *bad, size_t n_bad, size_t room,
			    struct sink_result *);
	/* Between attempts, at no cost: ERR_DOWN when the other side has gone meanwhile,
	 * ERR_BUSY when it has gone because nothing came: connect() when there is something. */
	enum err (*look)(struct sink *);
	/* Makes partitions ahead and drops old ones, a piece at a time. ERR_BUSY: there is
	 * more to drop, soon. ERR_INVALID: PostgreSQL refuses, see errmsg. */
	enum err (*maintain)(struct sink *);
	/* What is not committed is undone; connect() may come again. */
	void (*disconnect)(struct sink *);
	void (*close)(struct sink **);
};

struct sink {
	const struct sink_ops *ops;
	char errmsg[1024];		/* of the last call that failed; no secrets, no event data */
	uint64_t unheard;		/* batches that landed and could not be announced on flush.notify; */
	char unheard_why[1024];		/* the last time. Whoever has told of them sets it to 0 */
	bool (*tick)(void *arg);	/* true: stop waiting, as if the other side were gone */
	void *arg;			/* its own */
};

/* state_dir: where the database's uuid is remembered (the journal's directory). conf,
 * state_dir and node must outlive the sink. */
enum err sink_pg_open(struct sink **, const struct conf *, const char *state_dir,
		      const char *node) MUST_CHECK;

/*
 * How long progress rows are kept after their last change, in milliseconds; 0: for
 * ever. A segment whose first row came longer ago than this and that has no progress
 * row is not new: its row may have been pruned.
 */
int64_t sink_progress_kept_ms(const struct conf *);

#endif
