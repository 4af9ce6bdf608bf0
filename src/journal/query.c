#include "journal/query.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "journal/query_allow.h"
#include "journal/query_series.h"
#include "journal/query_table.h"

#define STEPS	10000		/* of SQLite's machine between two looks at the clock */

struct query {
	sqlite3 *db;
	int64_t limit_ms, deadline;	/* of the statement that runs, by clock_mono_ms(); 0: none */
};

static int
late(void *arg)
{
	const struct query *q = arg;

	return q->deadline != 0 && clock_mono_ms() >= q->deadline;
}

static int
set_up(struct query *q, const char *dir)
{
	/* KiB, to sort in: a temporary file would lie where a writer waits for fsync */
	int rc = sqlite3_exec(q->db, "PRAGMA cache_size = -65536", NULL, NULL, NULL);

	/* people write "order.paid" */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(q->db, SQLITE_DBCONFIG_DQS_DML, 1, NULL);
	if (rc == SQLITE_OK)
		rc = query_register(q->db, dir, &q->deadline);
	if (rc == SQLITE_OK)
		rc = query_series(q->db);
	if (rc == SQLITE_OK)
		rc = query_allow(q->db);
	sqlite3_progress_handler(q->db, STEPS, late, q);
	return rc;
}

enum err
query_open(struct query **out, const char *dir, int64_t limit_ms, char errmsg[256])
{
	struct query *q = calloc(1, sizeof *q);
	enum err e;
	int rc;

	*out = q;
	snprintf(errmsg, 256, "out of memory");
	if (!q)
		return ERR_NOMEM;
	q->limit_ms = limit_ms;
	e = sqlite_open(&q->db, ":memory:", SQLITE_OPEN_READWRITE, errmsg);
	if (e == ERR_OK && (rc = set_up(q, dir)) != SQLITE_OK) {
		sqlite_explain(q->db, "query", errmsg);
		e = sqlite_err(rc);
	}
	if (e != ERR_OK)
		query_close(out);
	return e;
}

void
query_close(struct query **qp)
{
	if (!*qp)
		return;
	sqlite3_close((*qp)->db);
	free(*qp);
	*qp = NULL;
}

static enum query_type
type_of(int type)
{
	switch (type) {
	case SQLITE_INTEGER:
		return QUERY_INTEGER;
	case SQLITE_FLOAT:
		return QUERY_REAL;
	case SQLITE_TEXT:
		return QUERY_TEXT;
	case SQLITE_BLOB:
		return QUERY_BLOB;
	default:
		return QUERY_NULL;
	}
}

static bool
give_row(sqlite3_stmt *st, struct query_value *v, int n, query_row *each, void *arg)
{
	int i;

	for (i = 0; i < n; i++) {
		v[i].name = sqlite3_column_name(st, i);
		v[i].type = type_of(sqlite3_column_type(st, i));
		v[i].text.p = v[i].type == QUERY_NULL ? NULL : (const char *)sqlite3_column_text(st, i);
		v[i].text.n = (size_t)sqlite3_column_bytes(st, i);
	}
	return each(arg, v, (size_t)n);
}

static enum err
explain(struct query *q, int rc, char errmsg[256])
{
	const char *said = rc == SQLITE_AUTH ? "not authorized" : sqlite3_errmsg(q->db);

	if ((rc & 0xFF) == SQLITE_AUTH)
		snprintf(errmsg, 256, "%.150s: only reading is allowed, and what forebay(1) lists", said);
	else if ((rc & 0xFF) == SQLITE_INTERRUPT && late(q))
		snprintf(errmsg, 256, "the statement took longer than its time limit");
	else
		snprintf(errmsg, 256, "%s", said);
	switch (rc & 0xFF) {
	case SQLITE_ERROR:
	case SQLITE_AUTH:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		return ERR_INVALID;
	default:
		return sqlite_err(rc);
	}
}

static enum err
run(struct query *q, sqlite3_stmt *st, query_row *each, void *arg, char errmsg[256])
{
	int n = sqlite3_column_count(st), rc = SQLITE_ROW;
	struct query_value *v = calloc((size_t)n + 1, sizeof *v);

	if (!v) {
		snprintf(errmsg, 256, "out of memory");
		return ERR_NOMEM;
	}
	q->deadline = q->limit_ms > 0 ? clock_mono_ms() + q->limit_ms : 0;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		if (!give_row(st, v, n, each, arg))
			break;
	free(v);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : explain(q, rc, errmsg);
}

enum err
query_next(struct query *q, const char **sql, const struct slice *params, size_t n_params, query_row *each,
	   void *arg, char errmsg[256])
{
	const char *rest = "";
	sqlite3_stmt *st = NULL;
	enum err e = ERR_OK;
	size_t i;
	int rc = sqlite3_prepare_v2(q->db, *sql, -1, &st, &rest);

	errmsg[0] = '\0';
	*sql = rest;
	for (i = 0; rc == SQLITE_OK && i < n_params; i++)
		if (params[i].p)
			sqlite3_bind_text64(st, (int)i + 1, params[i].p, params[i].n, SQLITE_STATIC, SQLITE_UTF8);
	if (rc != SQLITE_OK)
		e = explain(q, rc, errmsg);
	else if (st && !sqlite3_stmt_readonly(st))
		e = explain(q, SQLITE_AUTH, errmsg);
	else if (st)			/* else a comment, or nothing */
		e = run(q, st, each, arg, errmsg);
	sqlite3_finalize(st);
	return e;
}

bool
query_complete(const char *sql)
{
	return sqlite3_complete(sql) != 0;
}

enum err
query_run(const char *dir, const char *sql, const struct slice *params, size_t n, query_row *each,
	  void *arg, char errmsg[256])
{
	struct query *q;
	enum err e = query_open(&q, dir, 0, errmsg);

	if (e == ERR_OK)
		e = query_next(q, &sql, params, n, each, arg, errmsg);
	query_close(&q);
	return e;
}
