/*
 * What can still be read of a damaged segment, which was set aside (dir.h).
 *
 * SQLite reads a WAL up to the first frame that does not check out. Here every frame
 * is laid over the database, those past the damage too, and each row must answer for
 * itself: by its own CRC. So no row comes out that was not written, and rows after
 * the damage come out as well.
 */
#ifndef JOURNAL_SALVAGE_H
#define JOURNAL_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "event/row.h"

struct salvaged {
	int64_t found;		/* rows handed out */
	int64_t last_seq;	/* largest seq seen */
};

/*
 * Calls each for the readable rows in order of seq, until it returns false; slices
 * live until it returns; context is filled in where the request's head row is
 * readable. Images of the database are made in dir (one file, removed again); the
 * segment's own files are only read. ERR_IO, ERR_NOMEM, ERR_FULL with errmsg (256
 * bytes); damage is no error here.
 */
typedef bool salvage_each(void *arg, const struct row *);
enum err salvage_read(const char *dir, struct uuid, salvage_each *, void *arg, struct salvaged *,
		      char errmsg[256]) MUST_CHECK;

#endif
