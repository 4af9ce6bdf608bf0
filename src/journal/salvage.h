/*
 * What can still be read of a damaged segment, which was set aside (dir.h).
 *
 * SQLite reads a WAL up to the first frame that does not check out, and of a table what
 * its b-tree leads to. Here every copy of every page is looked at, in the database and
 * in the WAL, those past the damage and those that a later frame replaces too, and each
 * row must answer for itself: by its own CRC. So no row comes out that was not written,
 * and of each damaged page those rows do that any other copy has. What the device does
 * not give is left out and counted.
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
 * Calls each for the readable rows in order of seq, each once, until it returns false;
 * slices live until it returns; context is filled in where the request's head row is
 * readable. The files are only read. ERR_NOMEM; ERR_IO and ERR_INVALID (a path too long)
 * when files cannot be opened, with errmsg (256 bytes): rows may have been handed out
 * before. Damage and pages that cannot be read are no error here.
 */
typedef bool salvage_each(void *arg, const struct row *);
enum err salvage_read(const char *dir, struct uuid, salvage_each *, void *arg, struct salvaged *,
		      char errmsg[256]) MUST_CHECK;

#endif
