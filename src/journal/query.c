#include "journal/query.h"

#include <stdio.h>
#include <stdlib.h>

#include "journal/query_table.h"

static bool
give_row(sqlite3_stmt *st, struct query_value *v, int n, query_row *each, void *arg)
{
	int i, type;

	for (i = 0; i < n; i++) {
		type = sqlite3_column_type(st, i);
		v[i].name = sqlite3_column_name(st, i);
		v[i].number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
		v[i].text.p = type == SQLITE_NULL ? NULL : (const char *)sqlite3_column_text(st, i);
		v[i].text.n = (size_t)sqlite3_column_bytes(st, i);
	}
	return each(arg, v, (size_t)n);
}

static enum err
run(sqlite3 *db, const char *sql, const struct slice *params, size_t n_params, query_row *each, void *arg,
    char errmsg[256])
{
	struct query_value *v = NULL;
	sqlite3_stmt *st = NULL;
	enum err e = ERR_INVALID;
	size_t i;
	int n, rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK || !st) {
		snprintf(errmsg, 256, "%s", rc == SQLITE_OK ? "empty statement" : sqlite3_errmsg(db));
		goto out;
	}
	for (i = 0; i < n_params; i++)
		if (params[i].p)
			sqlite3_bind_text64(st, (int)i + 1, params[i].p, params[i].n, SQLITE_STATIC, SQLITE_UTF8);
	n = sqlite3_column_count(st);
	v = calloc((size_t)n + 1, sizeof *v);
	e = v ? ERR_OK : ERR_NOMEM;
	while (e == ERR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		if (!give_row(st, v, n, each, arg))
			break;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_OK) {
		snprintf(errmsg, 256, "%s", sqlite3_errmsg(db));
		e = (rc & 0xFF) == SQLITE_ERROR ? ERR_INVALID : sqlite_err(rc);
	}
out:
	sqlite3_finalize(st);
	free(v);
	return e;
}

enum err
query_run(const char *dir, const char *sql, const struct slice *params, size_t n, query_row *each,
	  void *arg, char errmsg[256])
{
	sqlite3 *db;
	enum err e;

	errmsg[0] = '\0';
	e = sqlite_open(&db, ":memory:", SQLITE_OPEN_READWRITE, errmsg);
	if (e != ERR_OK)
		return e;
	e = sqlite_err(query_register(db, dir, 0));
	if (e == ERR_OK)
		e = run(db, sql, params, n, each, arg, errmsg);
	sqlite3_close(db);
	return e;
}
