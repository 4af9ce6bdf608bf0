/*
 * An eponymous virtual table, read from first to last and in no other way.
 * https://sqlite.org/vtab.html
 */
#include "journal/feed.h"

struct table {
	sqlite3_vtab base;
	const struct feed *feed;
};

struct cursor {
	sqlite3_vtab_cursor base;
	size_t at;
};

static const struct feed *
feed_of(sqlite3_vtab_cursor *c)
{
	return ((const struct table *)c->pVtab)->feed;
}

static int
connect_table(sqlite3 *db, void *feed, int argc UNUSED, const char *const *argv UNUSED,
	      sqlite3_vtab **out, char **errmsg UNUSED)
{
	int rc = sqlite3_declare_vtab(db, "CREATE TABLE feed(" ROW_COLUMNS_BUT_SEQ ")");
	struct table *t = rc == SQLITE_OK ? sqlite3_malloc(sizeof *t) : NULL;

	if (!t)
		return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
	*t = (struct table){ .feed = feed };
	*out = &t->base;
	return SQLITE_OK;
}

static int
disconnect_table(sqlite3_vtab *t)
{
	sqlite3_free(t);
	return SQLITE_OK;
}

static int
best_index(sqlite3_vtab *t UNUSED, sqlite3_index_info *info)
{
	info->estimatedCost = 1;
	return SQLITE_OK;
}

static int
open_cursor(sqlite3_vtab *t UNUSED, sqlite3_vtab_cursor **out)
{
	struct cursor *c = sqlite3_malloc(sizeof *c);

	if (!c)
		return SQLITE_NOMEM;
	*c = (struct cursor){ .at = 0 };
	*out = &c->base;
	return SQLITE_OK;
}

static int
close_cursor(sqlite3_vtab_cursor *c)
{
	sqlite3_free(c);
	return SQLITE_OK;
}

static int
filter(sqlite3_vtab_cursor *c, int index UNUSED, const char *name UNUSED, int argc UNUSED,
       sqlite3_value **argv UNUSED)
{
	((struct cursor *)c)->at = 0;
	return SQLITE_OK;
}

static int
next(sqlite3_vtab_cursor *c)
{
	((struct cursor *)c)->at++;
	return SQLITE_OK;
}

static int
eof(sqlite3_vtab_cursor *c)
{
	return ((struct cursor *)c)->at >= feed_of(c)->n;
}

static void
put_text(sqlite3_context *out, struct slice s)
{
	if (s.p)
		sqlite3_result_text64(out, s.p, s.n, SQLITE_STATIC, SQLITE_UTF8);
}

static int
column(sqlite3_vtab_cursor *c, sqlite3_context *out, int i)
{
	const struct row *r = &feed_of(c)->rows[((struct cursor *)c)->at];

	switch ((enum row_column)(i + 1)) {
	case COL_HEAD:
		sqlite3_result_int64(out, r->head);
		break;
	case COL_KIND:
		sqlite3_result_int(out, (int)r->kind);
		break;
	case COL_RECEIVED_AT:
		sqlite3_result_int64(out, r->received_at);
		break;
	case COL_TIME:
		if (r->time != CLOCK_UNSET)
			sqlite3_result_int64(out, r->time);
		break;
	case COL_FINGERPRINT:
		sqlite3_result_blob(out, r->fingerprint.b, sizeof r->fingerprint.b, SQLITE_STATIC);
		break;
	case COL_KEY:
		put_text(out, r->key);
		break;
	case COL_SOURCE:
		put_text(out, r->source);
		break;
	case COL_ID:
		put_text(out, r->id);
		break;
	case COL_TYPE:
		put_text(out, r->type);
		break;
	case COL_SUBJECT:
		put_text(out, r->subject);
		break;
	case COL_REASON:
		put_text(out, r->reason);
		break;
	case COL_CONTEXT:
		put_text(out, r->context);
		break;
	case COL_CRC:
		sqlite3_result_int64(out, row_crc(r));
		break;
	case COL_PAYLOAD:
		if (r->kind == ROW_EVENT)
			put_text(out, r->payload);
		else
			sqlite3_result_blob64(out, r->payload.p ? r->payload.p : "", r->payload.n, SQLITE_STATIC);
		break;
	case COL_SEQ:
	case COL_COUNT:
		return SQLITE_ERROR;
	}
	return SQLITE_OK;
}

static int
rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *out)
{
	*out = (sqlite3_int64)((struct cursor *)c)->at;
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.xConnect = connect_table, .xBestIndex = best_index, .xDisconnect = disconnect_table,
	.xOpen = open_cursor, .xClose = close_cursor, .xFilter = filter, .xNext = next,
	.xEof = eof, .xColumn = column, .xRowid = rowid,
};

int
feed_register(sqlite3 *db, struct feed *feed)
{
	return sqlite3_create_module(db, "feed", &module, feed);
}
