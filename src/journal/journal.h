/*
 * The journal: where an event is safe before it is acknowledged.
 *
 * Promise: once journal_commit() returned ERR_OK, the rows appended before it
 * are fsynced on the journal's volume and every later reader finds them.
 *
 * Format. The journal is a directory of segments. A segment is an SQLite database
 * in WAL mode named by a UUIDv7, with one writer ever:
 *
 *   <uuid>.lock       made first (O_EXCL); its writer holds flock on it for life and
 *                     writes a line into it when the segment is complete (born)
 *   <uuid>.db         schema and meta
 *   <uuid>.db-wal     the rows
 *   <uuid>.db-shm     SQLite's index of the WAL, rebuilt when lost
 *
 *   meta(key, value)  format, segment, node, version, created_at
 *   row(seq, ...)     one row an event or rejection; seq is 1, 2, 3 ... without a hole
 *
 * A request's rows have consecutive seqs; `head` is the first of them and carries
 * the request's context for all. received_at does not fall within a segment (the
 * collector begins a new one when its clock is set back), so a time is found by
 * bisection. `crc` is CRC-32C over every other column.
 *
 * Rules, each for a failure that was reproduced (doc/ARCHITECTURE.md, INV-6 to INV-10):
 * one read-write connection for each segment, ever; readers open read-only; the
 * writing process never opens a segment's files by other means; the WAL is never
 * reset while it is written; every start makes a new segment; any error but a short
 * BUSY is final for the turn and the segment. Open after fork only.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "event/row.h"

#define JOURNAL_FORMAT	1

struct journal;		/* one open segment, being written */

/*
 * Births a segment in dir: lock, database, WAL, schema, checkpoint, directory
 * fsync, each checked. ERR_FULL, ERR_IO, ERR_NOMEM; errmsg (256 bytes) says what.
 */
enum err journal_open(struct journal **, const char *dir, struct uuid segment,
		      const char *node, char errmsg[256]) MUST_CHECK;

/*
 * The same under a new name. A flusher may take a lock file that is just being made for
 * an old one, and remove it: then under another, a few times. ERR_BUSY: in vain.
 */
enum err journal_begin(struct journal **, const char *dir, struct uuid_source *,
		       const char *node, char errmsg[256]) MUST_CHECK;

/*
 * Appends the rows of one request to the turn's transaction, which the first call
 * begins. Sets seq and head in each row and takes the context from all but the first,
 * which has it for all. The first failure sticks: later calls do
 * nothing and return it, and so does journal_commit(). After an error the segment
 * takes no more rows: close it and open another.
 */
enum err journal_append(struct journal *, struct row *rows, size_t n) MUST_CHECK;

/* Commits the turn: ERR_OK means fsynced. Nothing appended: ERR_OK at no cost. */
enum err journal_commit(struct journal *) MUST_CHECK;

/* Is the WAL still the file that was created? (stat by path; once a second). */
bool journal_intact(const struct journal *);

struct uuid journal_segment(const struct journal *);
int64_t journal_last_seq(const struct journal *);	/* of the last commit */
uint64_t journal_bytes(const struct journal *);		/* written since birth, roughly */
const char *journal_errmsg(const struct journal *);	/* borrowed until the next call */

/*
 * Closes the connection without a checkpoint and drops the lock: the segment is
 * the flusher's from here. A segment that never held a row is removed.
 */
void journal_close(struct journal **);

#endif
