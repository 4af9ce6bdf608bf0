/*
 * SQL over the whole journal, read-only: table `event`, one row for each row of
 * each segment, live ones too. Columns: segment, seq, received_at and time (text,
 * "YYYY-MM-DD HH:MM:SS.SSSSSS" UTC, so that datetime() compares), kind (event or
 * rejection), key, source, id, type, subject, reason, context, payload.
 *
 * Segments are opened one after another, each closed before the next; a segment
 * that vanishes meanwhile is passed over. Must not run in a process that writes.
 */
#ifndef JOURNAL_QUERY_H
#define JOURNAL_QUERY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct query_value {
	const char *name;	/* of the column */
	struct slice text;	/* absent: NULL */
	bool number;
};

/* Called for each row of the result until it returns false; values live until then. */
typedef bool query_row(void *arg, const struct query_value *, size_t n);

/* ERR_INVALID: the SQL is wrong, errmsg (256 bytes) says how. */
enum err query_run(const char *dir, const char *sql, query_row *, void *arg, char errmsg[256]) MUST_CHECK;

#endif
