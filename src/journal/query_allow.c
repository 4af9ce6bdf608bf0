#include "journal/query_allow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_MAX	(256 << 20)	/* bytes of a value; a body has far less */
#define SQL_MAX		(1 << 20)
#define LIKE_MAX	1000		/* no look at the clock within one comparison */
#define HEAP_MAX	(INT64_C(1) << 30)

/* In the order of the alphabet, for bsearch. */
const char *const query_functions[] = {
	"->", "->>", "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg", "ceil",
	"ceiling", "char", "coalesce", "concat", "concat_ws", "cos", "cosh", "count", "cume_dist",
	"current_date", "current_time", "current_timestamp", "date", "datetime", "degrees",
	"dense_rank", "exp", "first_value", "floor", "format", "glob", "group_concat", "hex", "if",
	"ifnull", "iif", "instr", "json", "json_array", "json_array_length", "json_error_position",
	"json_extract", "json_group_array", "json_group_object", "json_insert", "json_object",
	"json_patch", "json_pretty", "json_quote", "json_remove", "json_replace", "json_set",
	"json_type", "json_valid", "julianday", "lag", "last_value", "lead", "length", "like",
	"likelihood", "likely", "ln", "log", "log10", "log2", "lower", "ltrim", "max", "min", "mod",
	"nth_value", "ntile", "nullif", "octet_length", "percent_rank", "pi", "pow", "power", "printf",
	"quote", "radians", "random", "rank", "replace", "round", "row_number", "rtrim", "sign", "sin",
	"sinh", "soundex", "sqlite_version", "sqrt", "strftime", "string_agg", "substr", "substring",
	"sum", "tan", "tanh", "time", "timediff", "total", "trim", "trunc", "typeof", "unhex",
	"unicode", "unixepoch", "unlikely", "upper", "zeroblob",
};
const size_t n_query_functions = ARRAY_SIZE(query_functions);
static const char *const pragmas[] = { "table_info", "table_list", "table_xinfo" };
static const char *modules[] = { "event", "rejection", "request", "generate_series", "json_each", "json_tree", NULL };

static const struct { int what, most; } limits[] = {
	{ SQLITE_LIMIT_LENGTH, LENGTH_MAX }, { SQLITE_LIMIT_SQL_LENGTH, SQL_MAX },
	{ SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LIKE_MAX }, { SQLITE_LIMIT_ATTACHED, 0 },
	{ SQLITE_LIMIT_WORKER_THREADS, 0 },
};

static int
by_name(const void *name, const void *one)
{
	return sqlite3_stricmp(name, *(const char *const *)one);
}

static bool
listed(const char *name, const char *const *list, size_t n)
{
	return name && bsearch(name, list, n, sizeof *list, by_name);
}

static int
judge(void *arg UNUSED, int action, const char *first, const char *second, const char *db UNUSED,
      const char *inner UNUSED)
{
	bool good;

	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		good = true;
		break;
	case SQLITE_FUNCTION:
		good = listed(second, query_functions, n_query_functions);
		break;
	case SQLITE_PRAGMA:
		good = listed(first, pragmas, ARRAY_SIZE(pragmas));
		break;
	default:
		good = false;
	}
	return good ? SQLITE_OK : SQLITE_DENY;
}

/* SQLite makes a module's table by CREATE TABLE, once, when it is first named: before that is
 * not allowed any more. */
static int
name_table(sqlite3 *db, const char *prefix, const char *name)
{
	char sql[100];
	sqlite3_stmt *st = NULL;
	int rc;

	snprintf(sql, sizeof sql, "PRAGMA table_info(%s%s)", prefix, name);
	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	sqlite3_finalize(st);
	return rc;
}

int
query_allow(sqlite3 *db)
{
	size_t i;
	int rc = sqlite3_drop_modules(db, modules);

	for (i = 0; rc == SQLITE_OK && modules[i]; i++)
		rc = name_table(db, "", modules[i]);
	for (i = 0; rc == SQLITE_OK && i < ARRAY_SIZE(pragmas); i++)
		rc = name_table(db, "pragma_", pragmas[i]);
	for (i = 0; i < ARRAY_SIZE(limits); i++)
		sqlite3_limit(db, limits[i].what, limits[i].most);
	sqlite3_hard_heap_limit64(HEAP_MAX);
	return rc == SQLITE_OK ? sqlite3_set_authorizer(db, judge, NULL) : rc;
}
