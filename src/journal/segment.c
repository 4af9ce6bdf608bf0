#include "journal/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/journal.h"
#include "journal/sqlite.h"

#define CONTEXT_MAX	(64 * 1024)

struct segment {
	sqlite3 *db;
	sqlite3_stmt *rows, *last, *oldest, *context;
	int64_t head;			/* whose context is in context_text; 0: none */
	struct buf context_text;
	char errmsg[256];
};

static enum err
fail(struct segment *s, int rc, const char *what)
{
	sqlite_explain(s->db, what, s->errmsg);
	return sqlite_err(rc);
}

static enum err
damaged(struct segment *s, const char *what, int64_t seq)
{
	snprintf(s->errmsg, sizeof s->errmsg, "%s at seq %lld", what, (long long)seq);
	return ERR_CORRUPT;
}

static enum err
prepare(struct segment *s)
{
	const struct { sqlite3_stmt **st; const char *sql; } all[] = {
		{ &s->rows, "SELECT " ROW_COLUMNS " FROM row WHERE seq > ? ORDER BY seq" },
		{ &s->last, "SELECT coalesce(max(seq), 0) FROM row" },
		{ &s->oldest, "SELECT received_at FROM row WHERE seq > ? ORDER BY seq LIMIT 1" },
		{ &s->context, "SELECT context FROM row WHERE seq = ?" },
	};
	size_t i;
	/* rows are read once, one after the other: SQLite's 2 MB for each file serve nothing */
	int rc = sqlite3_exec(s->db, "PRAGMA cache_size=-256", NULL, NULL, NULL);

	for (i = 0; rc == SQLITE_OK && i < ARRAY_SIZE(all); i++)
		rc = sqlite3_prepare_v3(s->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].st, NULL);
	return rc == SQLITE_OK ? ERR_OK : fail(s, rc, "prepare");
}

static enum err
open_as(struct segment **out, const char *dir, struct uuid uuid, bool untouched, char errmsg[256])
{
	struct segment *s = calloc(1, sizeof *s);
	enum err e;

	*out = NULL;
	snprintf(errmsg, 256, "out of memory");
	if (!s)
		return ERR_NOMEM;
	buf_init(&s->context_text, CONTEXT_MAX);
	e = sqlite_open_segment(&s->db, dir, uuid, untouched, s->errmsg);
	if (e == ERR_OK)
		e = prepare(s);
	/* an index in memory is made for each transaction: let there be one */
	if (e == ERR_OK && !untouched)
		e = fail(s, sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL), "commit");
	if (e != ERR_OK) {
		snprintf(errmsg, 256, "%s", s->errmsg);
		segment_close(&s);
	}
	*out = s;
	return e;
}

enum err
segment_open(struct segment **out, const char *dir, struct uuid uuid, char errmsg[256])
{
	return open_as(out, dir, uuid, false, errmsg);
}

enum err
segment_look(struct segment **out, const char *dir, struct uuid uuid, char errmsg[256])
{
	return open_as(out, dir, uuid, true, errmsg);
}

void
segment_close(struct segment **sp)
{
	struct segment *s = *sp;

	if (!s)
		return;
	sqlite3_finalize(s->rows);
	sqlite3_finalize(s->last);
	sqlite3_finalize(s->oldest);
	sqlite3_finalize(s->context);
	sqlite3_close(s->db);
	buf_fini(&s->context_text);
	free(s);
	*sp = NULL;
}

/* One number from a statement; `none` when it gives no row. */
static enum err
number(struct segment *s, sqlite3_stmt *st, int64_t none, int64_t *out)
{
	int rc = sqlite3_step(st);
	enum err e = ERR_OK;

	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	else if (rc == SQLITE_DONE)
		*out = none;
	else
		e = fail(s, rc, "select");
	sqlite3_reset(st);
	return e;
}

enum err
segment_last_seq(struct segment *s, int64_t *seq)
{
	return number(s, s->last, 0, seq);
}

enum err
segment_oldest(struct segment *s, int64_t after, int64_t *us)
{
	sqlite3_bind_int64(s->oldest, 1, after);
	return number(s, s->oldest, CLOCK_UNSET, us);
}

static enum err
keep_context(struct segment *s, int64_t head, struct slice text)
{
	buf_reset(&s->context_text);
	buf_put(&s->context_text, text.p, text.n);
	s->head = head;
	if (!s->context_text.failed)
		return ERR_OK;
	snprintf(s->errmsg, sizeof s->errmsg, "context of seq %lld: too large or out of memory",
	    (long long)head);
	return ERR_NOMEM;
}

/* A read that begins inside a request looks its head's context up. */
static enum err
look_up_context(struct segment *s, int64_t head)
{
	enum err e;
	int rc;

	sqlite3_bind_int64(s->context, 1, head);
	rc = sqlite3_step(s->context);
	if (rc == SQLITE_ROW)
		e = keep_context(s, head, row_column(s->context, 0));
	else
		e = rc == SQLITE_DONE ? damaged(s, "the head row is missing", head)
		    : fail(s, rc, "context");
	sqlite3_reset(s->context);
	return e;
}

static enum err
fill_context(struct segment *s, struct row *r)
{
	enum err e = ERR_OK;

	if (r->head == r->seq)
		e = keep_context(s, r->head, r->context);
	else if (r->head != s->head)
		e = look_up_context(s, r->head);
	r->context = s->context_text.n > 0 ? buf_slice(&s->context_text) : (struct slice){ NULL, 0 };
	return e;
}

enum err
segment_read(struct segment *s, int64_t after, segment_each *each, void *arg)
{
	struct row r;
	enum err e = ERR_OK;
	int64_t want = after + 1;
	int rc = SQLITE_ROW;

	sqlite3_bind_int64(s->rows, 1, after);
	while (e == ERR_OK && (rc = sqlite3_step(s->rows)) == SQLITE_ROW) {
		if (sqlite3_column_int64(s->rows, COL_SEQ) != want)
			e = damaged(s, "rows are missing", want);
		else if (!row_read(s->rows, &r))
			e = damaged(s, "the checksum does not match", want);
		else
			e = fill_context(s, &r);
		if (e != ERR_OK || !each(arg, &r))
			break;
		want++;
	}
	if (e == ERR_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
		e = fail(s, rc, "read");
	sqlite3_reset(s->rows);
	return e;
}

const char *
segment_errmsg(const struct segment *s)
{
	return s->errmsg;
}
