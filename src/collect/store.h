/*
 * A worker's place in the journal: its segment, the next one when that is full,
 * old or broken, and whether there is room at all. One for each worker, made after
 * fork.
 */
#ifndef COLLECT_STORE_H
#define COLLECT_STORE_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/stat.h"
#include "base/uuid.h"
#include "event/row.h"

struct store;

/* conf, stat and ids must outlive it. ERR_NOMEM only: a segment that cannot be made
 * now is tried again in store_tick(). */
enum err store_open(struct store **, const struct conf *, struct stat_slot *,
		    struct uuid_source *ids) MUST_CHECK;
/* Ends the segment; no turn may be open. */
void store_close(struct store **);

/* Can rows be stored durably at the moment? */
bool store_ready(const struct store *);

/* Appends the rows of one request to the turn. Only while store_ready(). After an
 * error store_commit() says false for the whole turn. */
enum err store_append(struct store *, struct row *rows, size_t n) MUST_CHECK;
struct uuid store_segment(const struct store *);	/* of the turn's rows */

/* Ends the turn: true when every row appended since the last call is fsynced. */
bool store_commit(struct store *);
/* After it, when all is answered, for it takes some fsyncs: a segment that is large or
 * old enough, or whose clock was set back, is closed and a new one begun. */
void store_rotate(struct store *);

/* Once a second: rotation, space, a new segment after a failure. No turn may be open. */
void store_tick(struct store *);

#endif
