/*
 * What can still be read of a damaged segment, which was set aside (dir.h).
 *
 * SQLite reads a WAL up to the first frame that does not check out. Here every frame
 * is laid over the database, those past the damage too, and each row must answer for
 * itself: by its own CRC. So no row comes out that was not written, and rows after
 * the damage come out as well. What the device does not give is left out and counted.
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
	int64_t last_seq;	/* the largest that there was, as far as the files tell */
	bool end_known;		/* they do: there was none behind it */
	int64_t io_errors;	/* pages that the device did not give */
};

/*
 * Calls each for the readable rows in order of seq, until it returns false; slices
 * live until it returns; context is filled in where the request's head row is
 * readable. Images of the database are made in dir (one file, removed again); the
 * segment's own files are only read. ERR_FULL, ERR_NOMEM, and ERR_IO when files cannot
 * be opened or the image fails, with errmsg (256 bytes): rows may have been handed out
 * before. Damage and pages that cannot be read are no error here.
 */
typedef bool salvage_each(void *arg, const struct row *);
enum err salvage_read(const char *dir, struct uuid, salvage_each *, void *arg, struct salvaged *,
		      char errmsg[256]) MUST_CHECK;

#endif
