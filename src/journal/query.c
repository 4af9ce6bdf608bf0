#include "journal/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "journal/dir.h"
#include "journal/sqlite.h"

enum { V_SEGMENT, V_SEQ, V_RECEIVED_AT, V_TIME, V_KIND, V_FIRST_COPIED };

/* columns of the table that are a segment's columns as they are */
static const int copied[] = {
	COL_KEY, COL_SOURCE, COL_ID, COL_TYPE, COL_SUBJECT, COL_REASON, COL_CONTEXT, COL_PAYLOAD,
};
static const char declaration[] =
	"CREATE TABLE event(segment TEXT, seq INTEGER, received_at TEXT, time TEXT, kind TEXT,"
	" key TEXT, source TEXT, id TEXT, type TEXT, subject TEXT, reason TEXT, context TEXT,"
	" payload)";

struct table {
	sqlite3_vtab base;
	const char *dir;	/* borrowed from query_run() */
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct dir_segment *list;
	size_t n, at;
	sqlite3 *db;		/* of segment at; NULL: not open */
	sqlite3_stmt *st;
	char segment[UUID_TEXT];
	sqlite3_int64 rowid;
	bool eof;
};

static void
close_segment(struct cursor *c)
{
	sqlite3_finalize(c->st);
	sqlite3_close(c->db);
	c->st = NULL;
	c->db = NULL;
}

/* Opens segment `at`; false: it is not there any more, or not readable. */
static bool
open_segment(struct cursor *c, const char *dir)
{
	const struct dir_segment *s = &c->list[c->at];
	char path[SEGMENT_PATH], errmsg[256];

	if (!s->born || segment_path(path, dir, s->uuid, ".db") != ERR_OK ||
	    sqlite_open(&c->db, path, SQLITE_OPEN_READONLY, errmsg) != ERR_OK)
		return false;
	uuid_text(s->uuid, c->segment);
	return sqlite3_prepare_v2(c->db, "SELECT " ROW_COLUMNS " FROM row ORDER BY seq", -1, &c->st,
	    NULL) == SQLITE_OK;
}

static int
v_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;
	const char *dir = ((struct table *)base->pVtab)->dir;

	for (; c->at < c->n; c->at++) {
		if ((c->st || open_segment(c, dir)) && sqlite3_step(c->st) == SQLITE_ROW) {
			c->rowid++;
			return SQLITE_OK;
		}
		close_segment(c);
	}
	c->eof = true;
	return SQLITE_OK;
}

static int
v_filter(sqlite3_vtab_cursor *base, int idx UNUSED, const char *str UNUSED, int argc UNUSED,
	 sqlite3_value **argv UNUSED)
{
	struct cursor *c = (struct cursor *)base;

	close_segment(c);
	free(c->list);
	c->at = 0;
	c->eof = false;
	c->rowid = 0;
	if (dir_list(((struct table *)base->pVtab)->dir, &c->list, &c->n) != ERR_OK)
		return SQLITE_CANTOPEN;
	return v_next(base);
}

static void
result_time(sqlite3_context *ctx, sqlite3_stmt *st, int column)
{
	char text[CLOCK_TEXT];

	if (sqlite3_column_type(st, column) != SQLITE_NULL)
		sqlite3_result_text(ctx, clock_text(sqlite3_column_int64(st, column), text), -1,
		    SQLITE_TRANSIENT);
}

static int
v_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
	struct cursor *c = (struct cursor *)base;

	switch (i) {
	case V_SEGMENT:
		sqlite3_result_text(ctx, c->segment, -1, SQLITE_TRANSIENT);
		break;
	case V_SEQ:
		sqlite3_result_int64(ctx, sqlite3_column_int64(c->st, COL_SEQ));
		break;
	case V_RECEIVED_AT:
		result_time(ctx, c->st, COL_RECEIVED_AT);
		break;
	case V_TIME:
		result_time(ctx, c->st, COL_TIME);
		break;
	case V_KIND:
		sqlite3_result_text(ctx, sqlite3_column_int(c->st, COL_KIND) == ROW_EVENT ? "event" :
		    "rejection", -1, SQLITE_STATIC);
		break;
	default:
		sqlite3_result_value(ctx, sqlite3_column_value(c->st, copied[i - V_FIRST_COPIED]));
	}
	return SQLITE_OK;
}

static int
v_eof(sqlite3_vtab_cursor *base)
{
	return ((struct cursor *)base)->eof;
}

static int
v_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
	*out = ((struct cursor *)base)->rowid;
	return SQLITE_OK;
}

static int
v_open(sqlite3_vtab *t UNUSED, sqlite3_vtab_cursor **out)
{
	struct cursor *c = calloc(1, sizeof *c);

	*out = c ? &c->base : NULL;
	return c ? SQLITE_OK : SQLITE_NOMEM;
}

static int
v_close(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;

	close_segment(c);
	free(c->list);
	free(c);
	return SQLITE_OK;
}

static int
v_best_index(sqlite3_vtab *t UNUSED, sqlite3_index_info *info)
{
	info->estimatedCost = 1e9;
	return SQLITE_OK;
}

static int
v_connect(sqlite3 *db, void *dir, int argc UNUSED, const char *const *argv UNUSED, sqlite3_vtab **out,
	  char **err UNUSED)
{
	struct table *t = sqlite3_malloc(sizeof *t);
	int rc = t ? sqlite3_declare_vtab(db, declaration) : SQLITE_NOMEM;

	if (rc != SQLITE_OK) {
		sqlite3_free(t);
		return rc;
	}
	*t = (struct table){ .dir = dir };
	*out = &t->base;
	return SQLITE_OK;
}

static int
v_disconnect(sqlite3_vtab *t)
{
	sqlite3_free(t);
	return SQLITE_OK;
}

/* without xCreate it is eponymous: there without CREATE VIRTUAL TABLE */
static const sqlite3_module module = {
	.xConnect = v_connect, .xBestIndex = v_best_index, .xDisconnect = v_disconnect,
	.xOpen = v_open, .xClose = v_close, .xFilter = v_filter, .xNext = v_next, .xEof = v_eof,
	.xColumn = v_column, .xRowid = v_rowid,
};

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
run(sqlite3 *db, const char *sql, query_row *each, void *arg, char errmsg[256])
{
	struct query_value *v = NULL;
	sqlite3_stmt *st = NULL;
	enum err e = ERR_INVALID;
	int n, rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK || !st) {
		snprintf(errmsg, 256, "%s", rc == SQLITE_OK ? "empty statement" : sqlite3_errmsg(db));
		goto out;
	}
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
query_run(const char *dir, const char *sql, query_row *each, void *arg, char errmsg[256])
{
	sqlite3 *db;
	char *mutable_dir = strdup(dir);	/* client data of a module is not const */
	enum err e;

	errmsg[0] = '\0';
	if (!mutable_dir)
		return ERR_NOMEM;
	e = sqlite_open(&db, ":memory:", SQLITE_OPEN_READWRITE, errmsg);
	if (e == ERR_OK) {
		e = sqlite_err(sqlite3_create_module_v2(db, "event", &module, mutable_dir, NULL));
		if (e == ERR_OK)
			e = run(db, sql, each, arg, errmsg);
		sqlite3_close(db);
	}
	free(mutable_dir);
	return e;
}
