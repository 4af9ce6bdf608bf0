/*
 * SQL over the whole journal, read-only, for programs: the tables are those of
 * query_table.h. A segment that vanishes meanwhile is passed over. Must not run in a
 * process that writes.
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

/* params: the texts of ?1, ?2 ...; with p == NULL: NULL. ERR_INVALID: the SQL is
 * wrong, errmsg (256 bytes) says how. */
enum err query_run(const char *dir, const char *sql, const struct slice *params, size_t n,
		   query_row *, void *arg, char errmsg[256]) MUST_CHECK;

#endif
