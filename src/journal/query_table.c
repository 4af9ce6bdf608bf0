#include "journal/query_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "journal/query_plan.h"
#include "journal/query_scan.h"

#define SQL_MAX		4096

/* the first row after those of r's request, or one past the last row */
#define NEXT_HEAD \
	"coalesce((SELECT n.seq FROM row n WHERE n.seq > r.seq AND n.head <> r.seq" \
	" ORDER BY n.seq LIMIT 1), (SELECT max(m.seq) + 1 FROM row m))"
#define COUNT_KIND(kind) \
	"(SELECT count(*) FROM row c WHERE c.seq >= r.seq AND c.seq < " NEXT_HEAD " AND c.kind = " kind ")"
#define CONTEXT	"(SELECT h.context FROM row h WHERE h.seq = r.head)"

static const struct column event_columns[] = {
	{ "segment", "NULL", AS_SEGMENT }, { "seq", "r.seq", AS_SEQ },
	{ "received_at", "r.received_at", AS_RECEIVED_AT }, { "time", "r.time", AS_TIME },
	{ "key", "r.key", AS_TEXT }, { "source", "r.source", AS_TEXT }, { "id", "r.id", AS_TEXT },
	{ "type", "r.type", AS_TEXT }, { "subject", "r.subject", AS_TEXT },
	{ "fingerprint", "r.fingerprint", AS_UUID }, { "head", "r.head", AS_IS },
	{ "context", CONTEXT, AS_IS }, { "payload", "r.payload", AS_IS },
	{ "receipt", "NULL", AS_ARGUMENT }, { NULL, NULL, AS_IS },
};
static const struct column rejection_columns[] = {
	{ "segment", "NULL", AS_SEGMENT }, { "seq", "r.seq", AS_SEQ },
	{ "received_at", "r.received_at", AS_RECEIVED_AT }, { "time", "r.time", AS_TIME },
	{ "reason", "r.reason", AS_TEXT }, { "key", "r.key", AS_TEXT },
	{ "source", "r.source", AS_TEXT }, { "id", "r.id", AS_TEXT }, { "type", "r.type", AS_TEXT },
	{ "subject", "r.subject", AS_TEXT }, { "head", "r.head", AS_IS },
	{ "context", CONTEXT, AS_IS }, { "payload", "r.payload", AS_IS },
	{ "receipt", "NULL", AS_ARGUMENT }, { NULL, NULL, AS_IS },
};
static const struct column request_columns[] = {
	{ "segment", "NULL", AS_SEGMENT }, { "seq", "r.seq", AS_SEQ },
	{ "received_at", "r.received_at", AS_RECEIVED_AT },
	{ "receipt", COUNT_KIND("0"), AS_RECEIPT }, { "events", COUNT_KIND("0"), AS_IS },
	{ "rejections", COUNT_KIND("1"), AS_IS }, { "context", "r.context", AS_IS },
	{ NULL, NULL, AS_IS },
};
static const struct kind kinds[] = {
	{ "event", "r.kind = 0", event_columns },
	{ "rejection", "r.kind = 1", rejection_columns },
	{ "request", "r.head = r.seq", request_columns },
};

/* One for each table; SQLite's, freed with the module. */
struct place {
	const struct kind *kind;
	const int64_t *deadline;
	char dir[];
};

struct table {
	sqlite3_vtab base;
	struct place *place;
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct scan scan;
	bool eof;
};

static struct place *
place_of(sqlite3_vtab_cursor *base)
{
	return ((struct table *)base->pVtab)->place;
}

static int
scan_failed(struct cursor *c, enum err e)
{
	int rc = e == ERR_CORRUPT ? SQLITE_CORRUPT : e == ERR_NOMEM ? SQLITE_NOMEM :
	    e == ERR_BUSY ? SQLITE_INTERRUPT : SQLITE_IOERR;

	return plan_fail(c->base.pVtab, rc, c->scan.errmsg);
}

/* --- the cursor ---------------------------------------------------------------------- */

static int
v_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	return plan_best(((struct table *)base)->place->kind->columns, info);
}

static int
v_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;
	bool got;
	enum err e = scan_next(&c->scan, &got);

	c->eof = !got;
	return e == ERR_OK ? SQLITE_OK : scan_failed(c, e);
}

static int
v_filter(sqlite3_vtab_cursor *base, int used, const char *plan, int argc, sqlite3_value **argv)
{
	struct cursor *c = (struct cursor *)base;
	enum err e;
	int rc;

	scan_bounds_fini(&c->scan.b);
	free(c->scan.sql);
	c->scan.sql = NULL;
	rc = plan_bounds(base->pVtab, place_of(base)->kind, (unsigned)used, plan, argc, argv,
	    &c->scan.b, &c->scan.sql);
	if (rc != SQLITE_OK)
		return rc;
	c->scan.deadline = *place_of(base)->deadline;
	e = scan_begin(&c->scan);
	return e == ERR_OK ? v_next(base) : scan_failed(c, e);
}

static void
result_time(sqlite3_context *ctx, sqlite3_stmt *st, int i)
{
	char text[CLOCK_TEXT];

	if (sqlite3_column_type(st, i) != SQLITE_NULL)
		sqlite3_result_text(ctx, clock_text(sqlite3_column_int64(st, i), text), -1,
		    SQLITE_TRANSIENT);
}

static void
result_uuid(sqlite3_context *ctx, sqlite3_stmt *st, int i)
{
	char text[UUID_TEXT];
	struct uuid u;

	if (sqlite3_column_bytes(st, i) != sizeof u.b)
		return;
	memcpy(u.b, sqlite3_column_blob(st, i), sizeof u.b);
	sqlite3_result_text(ctx, uuid_text(u, text), -1, SQLITE_TRANSIENT);
}

/* NULL when none of the request's rows is an event. */
static void
result_receipt(sqlite3_context *ctx, const struct scan *s, int i)
{
	int64_t events = sqlite3_column_int64(s->st, i), seq = sqlite3_column_int64(s->st, 0);
	char text[UUID_TEXT + 48];

	if (events == 0)
		return;
	snprintf(text, sizeof text, "%s:%lld-%lld", s->segment, (long long)seq,
	    (long long)(seq + events - 1));
	sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static int
v_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
	struct scan *s = &((struct cursor *)base)->scan;

	switch (place_of(base)->kind->columns[i++].how) {
	case AS_SEGMENT:
		sqlite3_result_text(ctx, s->segment, -1, SQLITE_TRANSIENT);
		break;
	case AS_RECEIVED_AT:
	case AS_TIME:
		result_time(ctx, s->st, i);
		break;
	case AS_UUID:
		result_uuid(ctx, s->st, i);
		break;
	case AS_RECEIPT:
		result_receipt(ctx, s, i);
		break;
	case AS_ARGUMENT:
		break;
	default:
		sqlite3_result_value(ctx, sqlite3_column_value(s->st, i));
	}
	return SQLITE_OK;
}

static int
v_eof(sqlite3_vtab_cursor *base)
{
	return ((struct cursor *)base)->eof;
}

/* The same for a row in every scan, as a statement with OR needs it: the random end
 * of the segment's name, then seq. */
static int
v_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
	const struct scan *s = &((struct cursor *)base)->scan;
	uint32_t name;

	memcpy(&name, s->current.b + 12, sizeof name);
	*out = (sqlite3_int64)((uint64_t)name << 32) + sqlite3_column_int64(s->st, 0);
	return SQLITE_OK;
}

static int
v_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
	struct place *place = ((struct table *)base)->place;
	struct cursor *c = calloc(1, sizeof *c);

	*out = c ? &c->base : NULL;
	if (!c)
		return SQLITE_NOMEM;
	c->scan.dir = place->dir;
	scan_bounds_init(&c->scan.b);
	return SQLITE_OK;
}

static int
v_close(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;

	scan_end(&c->scan);
	free(c);
	return SQLITE_OK;
}

/* --- the module ------------------------------------------------------------------------ */

static int
declare(sqlite3 *db, const struct kind *kind)
{
	const struct column *c;
	struct buf sql;
	int rc;

	buf_init(&sql, SQL_MAX);
	buf_puts(&sql, "CREATE TABLE t(");
	for (c = kind->columns; c->name; c++)
		buf_printf(&sql, "%s%s%s%s", c == kind->columns ? "" : ", ", c->name,
		    c->how == AS_SEQ ? " INTEGER" : c->how == AS_IS ? "" : " TEXT",
		    c->how == AS_ARGUMENT ? " HIDDEN" : "");
	buf_put(&sql, ")", 2);
	rc = sql.failed ? SQLITE_NOMEM : sqlite3_declare_vtab(db, sql.p);
	buf_fini(&sql);
	return rc;
}

static int
v_connect(sqlite3 *db, void *place, int argc UNUSED, const char *const *argv UNUSED,
	  sqlite3_vtab **out, char **err UNUSED)
{
	struct table *t = sqlite3_malloc(sizeof *t);
	int rc = t ? declare(db, ((struct place *)place)->kind) : SQLITE_NOMEM;

	if (rc != SQLITE_OK) {
		sqlite3_free(t);
		return rc;
	}
	*t = (struct table){ .place = place };
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

int
query_register(sqlite3 *db, const char *dir, const int64_t *deadline)
{
	struct place *place;
	size_t i;
	int rc = SQLITE_OK;

	for (i = 0; rc == SQLITE_OK && i < ARRAY_SIZE(kinds); i++) {
		place = calloc(1, sizeof *place + strlen(dir) + 1);
		if (!place)
			return SQLITE_NOMEM;
		place->kind = &kinds[i];
		place->deadline = deadline;
		memcpy(place->dir, dir, strlen(dir) + 1);
		rc = sqlite3_create_module_v2(db, kinds[i].name, &module, place, free);
	}
	return rc;
}
