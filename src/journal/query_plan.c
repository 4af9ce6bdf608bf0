#include "journal/query_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "journal/receipt.h"

#define SQL_MAX		4096
#define ROWS_GUESS	1e7

int
plan_fail(sqlite3_vtab *t, int rc, const char *message)
{
	sqlite3_free(t->zErrMsg);
	t->zErrMsg = sqlite3_mprintf("%s", message);
	return rc;
}

/* --- which conditions are pushed down -------------------------------------------- */

static const struct { unsigned char op; char letter; } ops[] = {
	{ SQLITE_INDEX_CONSTRAINT_EQ, '=' }, { SQLITE_INDEX_CONSTRAINT_NE, '!' },
	{ SQLITE_INDEX_CONSTRAINT_GT, '>' }, { SQLITE_INDEX_CONSTRAINT_GE, 'g' },
	{ SQLITE_INDEX_CONSTRAINT_LT, '<' }, { SQLITE_INDEX_CONSTRAINT_LE, 'l' },
};

static char
op_letter(unsigned char op)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		if (ops[i].op == op)
			return ops[i].letter;
	return '\0';
}

/* Divides `rows` by what the condition saves; false: of no use. */
static bool
helps(enum how how, char op, double *rows)
{
	bool equal = op == '=', range = strchr("<>lg=", op) != NULL;

	switch (how) {
	case AS_SEGMENT:
		*rows /= equal ? 200 : 1;
		return equal || op == '!';
	case AS_SEQ:
		*rows /= equal ? 50000 : 4;
		return range;
	case AS_RECEIVED_AT:
		*rows /= op == '>' || op == 'g' || equal ? 50 : 2;
		return range;
	case AS_RECEIPT:
	case AS_ARGUMENT:
		*rows /= equal ? 1e6 : 1;
		return equal;
	case AS_TEXT:
		*rows /= equal ? 1.5 : 1;
		return equal;
	default:
		return false;
	}
}

/* Only a comparison byte by byte is ours. */
static bool
binary(sqlite3_index_info *info, int i)
{
	return strcmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
}

/*
 * idxStr is a pair of letters for each argument, column ('a' is the first) and
 * operator; idxNum the columns that are read.
 */
int
plan_best(const struct column *columns, sqlite3_index_info *info)
{
	const struct column *c;
	char *plan = sqlite3_malloc(2 * info->nConstraint + 1);
	double rows = ROWS_GUESS;
	int i, n = 0;
	char op;

	if (!plan)
		return SQLITE_NOMEM;
	for (i = 0; i < info->nConstraint; i++) {
		if (info->aConstraint[i].iColumn < 0)
			continue;
		c = &columns[info->aConstraint[i].iColumn];
		op = op_letter(info->aConstraint[i].op);
		if (c->how == AS_ARGUMENT && !info->aConstraint[i].usable) {
			sqlite3_free(plan);
			return SQLITE_CONSTRAINT;
		}
		if (!op || !info->aConstraint[i].usable || !binary(info, i) || !helps(c->how, op, &rows))
			continue;
		plan[2 * n] = (char)('a' + (c - columns));
		plan[2 * n + 1] = op;
		info->aConstraintUsage[i].argvIndex = ++n;
		/* exact here, and costly when each row is compared again as text */
		info->aConstraintUsage[i].omit = c->how == AS_RECEIVED_AT || c->how == AS_ARGUMENT;
	}
	plan[2 * n] = '\0';
	info->idxStr = plan;
	info->needToFreeIdxStr = 1;
	info->idxNum = (int)(info->colUsed & 0x7FFFFFFF);
	info->estimatedCost = 1000 + rows;
	info->estimatedRows = 1 + (sqlite3_int64)rows;
	return SQLITE_OK;
}

/* --- conditions into bounds -------------------------------------------------------- */

static void
at_least(int64_t *lo, int64_t v)
{
	if (v > *lo)
		*lo = v;
}

static void
at_most(int64_t *hi, int64_t v)
{
	if (v < *hi)
		*hi = v;
}

static void
range(int64_t *lo, int64_t *hi, char op, int64_t v)
{
	if (strchr("=>g", op))
		at_least(lo, op == '>' && v < INT64_MAX ? v + 1 : v);
	if (strchr("=<l", op))
		at_most(hi, op == '<' && v > INT64_MIN ? v - 1 : v);
}

static int
compare_text(int64_t us, const char *want, size_t n)
{
	char text[CLOCK_TEXT];
	size_t len = strlen(clock_text(us, text));
	int d = memcmp(text, want, len < n ? len : n);

	return d != 0 ? d : (len > n) - (len < n);
}

/*
 * The first moment whose text sorts after `want`, or not before it. Any text has
 * its place among the texts of moments, so the comparison is exact whatever it is.
 */
static int64_t
first_moment(const char *want, size_t n, bool after)
{
	int64_t lo = clock_days_from_civil(1, 1, 1) * US_PER_DAY;
	int64_t hi = clock_days_from_civil(10000, 1, 1) * US_PER_DAY, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (compare_text(mid, want, n) >= (after ? 1 : 0))
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static int
bound_received_at(sqlite3_vtab *t, struct scan_bounds *b, char op, sqlite3_value *v)
{
	const char *p = (const char *)sqlite3_value_text(v);
	size_t n = (size_t)sqlite3_value_bytes(v);

	if (sqlite3_value_type(v) == SQLITE_NULL)
		at_most(&b->at_hi, INT64_MIN);
	else if (sqlite3_value_type(v) != SQLITE_TEXT || !p)
		return plan_fail(t, SQLITE_MISMATCH,
		    "received_at is text in UTC; compare it with datetime('now', '-60 seconds')");
	else if (op == '>' || op == 'g')
		at_least(&b->at_lo, first_moment(p, n, op == '>'));
	else if (op == '<' || op == 'l')
		at_most(&b->at_hi, first_moment(p, n, op == 'l') - 1);
	else {
		at_least(&b->at_lo, first_moment(p, n, false));
		at_most(&b->at_hi, first_moment(p, n, true) - 1);
	}
	return SQLITE_OK;
}

static void
only(struct scan_bounds *b, struct uuid u)
{
	if (b->one && memcmp(&u, &b->segment, sizeof u) != 0)
		b->seq_hi = 0;		/* cannot be both */
	b->one = true;
	b->segment = u;
}

/* What is not the name of a segment is left to SQLite to compare. */
static void
bound_segment(struct scan_bounds *b, char op, sqlite3_value *v)
{
	const char *p = (const char *)sqlite3_value_text(v);
	struct uuid u;

	if (!p || !uuid_parse(p, strlen(p), &u))
		return;
	if (op == '!') {
		if (b->n_not < SCAN_NOT)
			b->not[b->n_not++] = u;
	} else {
		only(b, u);
	}
}

static int
bound_receipt(sqlite3_vtab *t, struct scan_bounds *b, bool head_only, sqlite3_value *v)
{
	const char *p = (const char *)sqlite3_value_text(v);
	struct receipt r;

	if (!p || !receipt_parse(p, strlen(p), &r))
		return head_only ? SQLITE_OK : plan_fail(t, SQLITE_MISMATCH,
		    "not a receipt; expected SEGMENT:FIRST-LAST");
	only(b, r.segment);
	at_least(&b->seq_lo, r.first);
	at_most(&b->seq_hi, head_only ? r.first : r.last);
	return SQLITE_OK;
}

/* Adds " AND r.type = ?5"; what finds no room is left to SQLite to compare. */
static int
bound_text(struct scan_bounds *b, struct buf *sql, const struct column *c, sqlite3_value *v)
{
	const char *p;
	size_t i = 0;

	while (i < SCAN_EQUAL && b->equal[i])
		i++;
	if (i == SCAN_EQUAL || (sqlite3_value_type(v) != SQLITE_TEXT && sqlite3_value_type(v) != SQLITE_INTEGER))
		return SQLITE_OK;
	p = (const char *)sqlite3_value_text(v);
	if (p && strlen(p) != (size_t)sqlite3_value_bytes(v))
		return SQLITE_OK;
	b->equal[i] = p ? strdup(p) : NULL;
	buf_printf(sql, " AND %s = ?%zu", c->expr, 5 + i);
	return b->equal[i] ? SQLITE_OK : SQLITE_NOMEM;
}

static int
bound(sqlite3_vtab *t, struct scan_bounds *b, struct buf *sql, const struct column *column, char op,
      sqlite3_value *v)
{
	switch (column->how) {
	case AS_SEGMENT:
		bound_segment(b, op, v);
		return SQLITE_OK;
	case AS_SEQ:
		if (sqlite3_value_type(v) == SQLITE_INTEGER)
			range(&b->seq_lo, &b->seq_hi, op, sqlite3_value_int64(v));
		return SQLITE_OK;
	case AS_RECEIVED_AT:
		return bound_received_at(t, b, op, v);
	case AS_RECEIPT:
	case AS_ARGUMENT:
		return bound_receipt(t, b, column->how == AS_RECEIPT, v);
	default:
		return bound_text(b, sql, column, v);
	}
}

/* --- all together ------------------------------------------------------------------ */

/* r.seq first, then the table's columns; those not `used` are not read. */
static void
select_columns(struct buf *sql, const struct kind *kind, unsigned used)
{
	const struct column *c;

	buf_puts(sql, "SELECT r.seq");
	for (c = kind->columns; c->name; c++, used >>= 1)
		buf_printf(sql, ", %s", used & 1 ? c->expr : "NULL");
	buf_printf(sql, " FROM row r WHERE %s AND r.seq BETWEEN ?1 AND ?2", kind->where);
}

int
plan_bounds(sqlite3_vtab *t, const struct kind *kind, unsigned used, const char *plan, int argc,
	    sqlite3_value **argv, struct scan_bounds *b, char **out)
{
	struct buf sql;
	int i, rc = SQLITE_OK;

	buf_init(&sql, SQL_MAX);
	select_columns(&sql, kind, used);
	for (i = 0; rc == SQLITE_OK && i < argc; i++)
		rc = bound(t, b, &sql, &kind->columns[plan[2 * i] - 'a'], plan[2 * i + 1], argv[i]);
	if (b->at_lo != INT64_MIN || b->at_hi != INT64_MAX)
		buf_puts(&sql, " AND r.received_at BETWEEN ?3 AND ?4");
	buf_put(&sql, " ORDER BY r.seq", sizeof " ORDER BY r.seq");
	if (rc == SQLITE_OK && sql.failed)
		rc = SQLITE_NOMEM;
	if (rc == SQLITE_OK)
		*out = sql.p;		/* the caller's from here */
	else
		buf_fini(&sql);
	return rc;
}
