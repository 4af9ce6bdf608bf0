#include "journal/query_series.h"

#include <stdlib.h>

enum { VALUE, START, STOP, STEP, COLUMNS };

#define STOP_UNSET	INT64_C(0xFFFFFFFF)

struct series { sqlite3_vtab_cursor base; int64_t value, start, stop, step; bool eof; sqlite3_int64 row; };

static int
s_connect(sqlite3 *db, void *arg UNUSED, int argc UNUSED, const char *const *argv UNUSED, sqlite3_vtab **out,
	  char **err UNUSED)
{
	int rc = sqlite3_declare_vtab(db, "CREATE TABLE t(value INTEGER, start HIDDEN, stop HIDDEN, step HIDDEN)");

	*out = rc == SQLITE_OK ? sqlite3_malloc(sizeof **out) : NULL;
	if (*out)
		**out = (sqlite3_vtab){ .zErrMsg = NULL };
	return rc == SQLITE_OK && !*out ? SQLITE_NOMEM : rc;
}

static int
s_disconnect(sqlite3_vtab *t)
{
	sqlite3_free(t);
	return SQLITE_OK;
}

/* idxNum: the bits of the arguments that are there, which come in their order. */
static int
s_best_index(sqlite3_vtab *t, sqlite3_index_info *info)
{
	int at[COLUMNS] = { -1, -1, -1, -1 }, i, c, n = 0;

	for (i = 0; i < info->nConstraint; i++) {
		c = info->aConstraint[i].iColumn;
		if (c < START || c > STEP || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		if (!info->aConstraint[i].usable)
			return SQLITE_CONSTRAINT;
		at[c] = i;
	}
	if (at[START] < 0) {
		t->zErrMsg = sqlite3_mprintf("generate_series: the first argument is missing");
		return SQLITE_ERROR;
	}
	for (c = START; c <= STEP; c++)
		if (at[c] >= 0) {
			info->aConstraintUsage[at[c]].argvIndex = ++n;
			info->aConstraintUsage[at[c]].omit = 1;
			info->idxNum |= 1 << c;
		}
	info->estimatedCost = info->idxNum & 1 << STOP ? 1000 : 1e9;
	info->estimatedRows = 1000;
	return SQLITE_OK;
}

static int
s_open(sqlite3_vtab *t UNUSED, sqlite3_vtab_cursor **out)
{
	struct series *s = calloc(1, sizeof *s);

	if (!s)
		return SQLITE_NOMEM;
	*out = (sqlite3_vtab_cursor *)s;	/* its first member */
	return SQLITE_OK;
}

static int
s_close(sqlite3_vtab_cursor *base)
{
	free(base);
	return SQLITE_OK;
}

static bool
beyond(const struct series *s)
{
	return s->step > 0 ? s->value > s->stop : s->value < s->stop;
}

static int
s_filter(sqlite3_vtab_cursor *base, int given, const char *plan UNUSED, int argc, sqlite3_value **argv)
{
	struct series *s = (struct series *)base;
	bool null = false;
	int i, n = 0;

	for (i = 0; i < argc; i++)
		null = null || sqlite3_value_type(argv[i]) == SQLITE_NULL;
	s->start = sqlite3_value_int64(argv[n++]);
	s->stop = given & 1 << STOP ? sqlite3_value_int64(argv[n++]) : STOP_UNSET;
	s->step = given & 1 << STEP ? sqlite3_value_int64(argv[n++]) : 1;
	if (s->step == 0)
		s->step = 1;
	s->value = s->start;
	s->row = 1;
	s->eof = null || beyond(s);
	return SQLITE_OK;
}

static int
s_next(sqlite3_vtab_cursor *base)
{
	struct series *s = (struct series *)base;

	s->row++;
	s->eof = __builtin_add_overflow(s->value, s->step, &s->value) || beyond(s);
	return SQLITE_OK;
}

static int
s_eof(sqlite3_vtab_cursor *base)
{
	return ((struct series *)base)->eof;
}

static int
s_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
	const struct series *s = (struct series *)base;

	sqlite3_result_int64(ctx, i == START ? s->start : i == STOP ? s->stop : i == STEP ? s->step : s->value);
	return SQLITE_OK;
}

static int
s_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
	*out = ((struct series *)base)->row;
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.xConnect = s_connect, .xBestIndex = s_best_index, .xDisconnect = s_disconnect,
	.xOpen = s_open, .xClose = s_close, .xFilter = s_filter, .xNext = s_next, .xEof = s_eof,
	.xColumn = s_column, .xRowid = s_rowid,
};

int
query_series(sqlite3 *db)
{
	return sqlite3_create_module_v2(db, "generate_series", &module, NULL, NULL);
}
