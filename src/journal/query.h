/*
 * SQL over the whole journal, read-only: the tables are those of query_table.h, and what
 * else a statement may use is listed in query_allow.c. A segment that vanishes meanwhile is
 * passed over. Must not run in a process that writes.
 */
#ifndef JOURNAL_QUERY_H
#define JOURNAL_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum query_type { QUERY_NULL, QUERY_INTEGER, QUERY_REAL, QUERY_TEXT, QUERY_BLOB };

struct query_value {
	const char *name;	/* of the column */
	struct slice text;	/* absent: NULL */
	enum query_type type;
};

/* Called for each row of the result until it returns false; values live until then. */
typedef bool query_row(void *arg, const struct query_value *, size_t n);

/* limit_ms: of each statement; 0: none. errmsg everywhere: 256 bytes. */
struct query;
enum err query_open(struct query **, const char *dir, int64_t limit_ms, char errmsg[256]) MUST_CHECK;
void query_close(struct query **);

/*
 * Runs the first statement of *sql and moves *sql behind it, to an empty text when no other
 * follows. params: the texts of ?1, ?2 ...; with p == NULL: NULL. ERR_INVALID: the SQL is
 * wrong, or not allowed, and errmsg says how; *sql is moved all the same.
 */
enum err query_next(struct query *, const char **sql, const struct slice *params, size_t n, query_row *,
		    void *arg, char errmsg[256]) MUST_CHECK;
/* Does a statement end there, or may it go on? */
bool query_complete(const char *sql);

/* One statement, without a limit. */
enum err query_run(const char *dir, const char *sql, const struct slice *params, size_t n,
		   query_row *, void *arg, char errmsg[256]) MUST_CHECK;

#endif
