#include "journal/query_scan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define WINDOW		20000		/* rows of one read */
#define LOOK		1024		/* rows between two looks at the clock */

/* Within a segment received_at does not fall: a clock that is set back begins a new
 * one. This much is forgiven all the same. */
#define SLACK		INT64_C(1000000)

void
scan_bounds_init(struct scan_bounds *b)
{
	*b = (struct scan_bounds){
		.seq_lo = 1, .seq_hi = INT64_MAX, .at_lo = INT64_MIN, .at_hi = INT64_MAX,
	};
}

void
scan_bounds_fini(struct scan_bounds *b)
{
	size_t i;

	for (i = 0; i < SCAN_EQUAL; i++)
		free(b->equal[i]);
	scan_bounds_init(b);
}

static int64_t
plus(int64_t a, int64_t d)
{
	int64_t sum;

	return __builtin_add_overflow(a, d, &sum) ? (d > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static void
close_segment(struct scan *s)
{
	sqlite3_finalize(s->st);
	sqlite3_close(s->db);
	s->st = NULL;
	s->db = NULL;
	s->reading = false;
}

static enum err
fail(struct scan *s, int rc, const char *what)
{
	snprintf(s->errmsg, sizeof s->errmsg, "segment %s: %s: %s", s->segment, what,
	    sqlite3_errmsg(s->db));
	return sqlite_err(rc);
}

static bool
wanted(const struct scan *s, const struct dir_segment *d)
{
	size_t i;

	if (!d->born || (s->b.one && memcmp(&d->uuid, &s->b.segment, sizeof d->uuid) != 0))
		return false;
	for (i = 0; i < s->b.n_not; i++)
		if (memcmp(&d->uuid, &s->b.not[i], sizeof d->uuid) == 0)
			return false;
	/* what was received later would have changed the file later */
	return plus(d->changed_at, SLACK) >= s->b.at_lo;
}

/* One number from SQL with one parameter; `none` where there is no row. */
static enum err
number(struct scan *s, const char *sql, int64_t param, int64_t none, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	enum err e = ERR_OK;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	*out = none;
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, param);
		rc = sqlite3_step(st);
	}
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	else if (rc != SQLITE_DONE)
		e = fail(s, rc, "read");
	sqlite3_finalize(st);
	return e;
}

/* First seq in [lo, hi] received at `at` or later, hi + 1 when there is none. */
static enum err
bisect(struct scan *s, int64_t lo, int64_t hi, int64_t at, int64_t *seq)
{
	int64_t mid, got;
	enum err e = ERR_OK;

	hi++;
	while (e == ERR_OK && lo < hi) {
		mid = lo + (hi - lo) / 2;
		e = number(s, "SELECT received_at FROM row WHERE seq >= ? ORDER BY seq LIMIT 1", mid,
		    INT64_MAX, &got);
		if (got >= at)
			hi = mid;
		else
			lo = mid + 1;
	}
	*seq = lo;
	return e;
}

/* Sets next and last to the seqs that can match. */
static enum err
narrow(struct scan *s)
{
	const struct scan_bounds *b = &s->b;
	int64_t last;
	enum err e = number(s, "SELECT max(seq) FROM row WHERE seq > ?", 0, 0, &last);

	s->next = b->seq_lo > 1 ? b->seq_lo : 1;
	s->last = b->seq_hi < last ? b->seq_hi : last;
	if (e == ERR_OK && b->at_hi != INT64_MAX && s->next <= s->last) {
		e = bisect(s, s->next, s->last, plus(b->at_hi, SLACK + 1), &last);
		s->last = last - 1;
	}
	if (e == ERR_OK && b->at_lo != INT64_MIN && s->next <= s->last)
		e = bisect(s, s->next, s->last, plus(b->at_lo, -SLACK), &s->next);
	return e;
}

static enum err
prepare(struct scan *s)
{
	size_t i;
	int rc = sqlite3_prepare_v2(s->db, s->sql, -1, &s->st, NULL);

	if (rc != SQLITE_OK)
		return fail(s, rc, "prepare");
	sqlite3_bind_int64(s->st, 3, s->b.at_lo);
	sqlite3_bind_int64(s->st, 4, s->b.at_hi);
	for (i = 0; rc == SQLITE_OK && i < SCAN_EQUAL; i++)
		if (s->b.equal[i])
			rc = sqlite3_bind_text(s->st, 5 + (int)i, s->b.equal[i], -1, SQLITE_STATIC);
	return rc == SQLITE_OK ? ERR_OK : fail(s, rc, "bind");
}

/* ERR_DOWN: it has been removed since it was listed. */
static enum err
open_segment(struct scan *s, struct uuid uuid)
{
	char errmsg[256];
	enum err e = ERR_OK;
	int rc;

	if (s->db && memcmp(&uuid, &s->current, sizeof uuid) != 0)
		close_segment(s);
	sqlite3_finalize(s->st);
	s->st = NULL;
	s->current = uuid;
	uuid_text(uuid, s->segment);
	if (!s->db) {
		e = sqlite_open_segment(&s->db, s->dir, uuid, true, errmsg);
		s->opened++;
	} else if ((rc = sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL)) != SQLITE_OK) {
		return fail(s, rc, "begin");
	}
	if (e != ERR_OK) {
		snprintf(s->errmsg, sizeof s->errmsg, "segment %s: %.200s", s->segment, errmsg);
		return e;
	}
	e = narrow(s);
	rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	if (e == ERR_OK && rc != SQLITE_OK)
		e = fail(s, rc, "commit");
	return e == ERR_OK ? prepare(s) : e;
}

enum err
scan_begin(struct scan *s)
{
	enum err e;

	free(s->list);
	s->list = NULL;
	s->n = s->at = 0;
	s->next = 1;
	s->last = 0;
	s->reading = false;
	if (!s->b.one)
		close_segment(s);
	else if (s->db && memcmp(&s->b.segment, &s->current, sizeof s->current) == 0)
		return open_segment(s, s->current);	/* a join asks for one row after another */
	e = dir_list(s->dir, &s->list, &s->n);
	if (e != ERR_OK)
		snprintf(s->errmsg, sizeof s->errmsg, "%s: cannot be read", s->dir);
	return e;
}

static enum err
next_segment(struct scan *s)
{
	enum err e;

	if (!s->b.one)
		close_segment(s);
	while (s->at < s->n && !wanted(s, &s->list[s->at]))
		s->at++;
	if (s->at == s->n)
		return ERR_OK;
	e = open_segment(s, s->list[s->at++].uuid);
	return e == ERR_DOWN ? ERR_OK : e;
}

static bool
late(struct scan *s)
{
	if (s->deadline == 0 || clock_mono_ms() < s->deadline)
		return false;
	snprintf(s->errmsg, sizeof s->errmsg, "the statement took longer than its time limit");
	return true;
}

static void
begin_window(struct scan *s)
{
	int64_t from = s->next;

	s->next = s->last - from < WINDOW ? s->last + 1 : from + WINDOW;
	sqlite3_bind_int64(s->st, 1, from);
	sqlite3_bind_int64(s->st, 2, s->next - 1);
	s->reading = true;
}

enum err
scan_next(struct scan *s, bool *got)
{
	enum err e;
	int rc;

	*got = false;
	for (;;) {
		if (s->reading) {
			if (++s->rows % LOOK == 0 && late(s))
				return ERR_BUSY;
			rc = sqlite3_step(s->st);
			if (rc == SQLITE_ROW) {
				*got = true;
				return ERR_OK;
			}
			s->reading = false;
			sqlite3_reset(s->st);	/* the read transaction ends here */
			if (rc != SQLITE_DONE)
				return fail(s, rc, "read");
		} else if (late(s)) {
			return ERR_BUSY;
		} else if (s->next <= s->last) {
			begin_window(s);
		} else if (s->at == s->n) {
			if (!s->b.one)
				close_segment(s);
			return ERR_OK;
		} else if ((e = next_segment(s)) != ERR_OK) {
			return e;
		}
	}
}

void
scan_end(struct scan *s)
{
	close_segment(s);
	scan_bounds_fini(&s->b);
	free(s->list);
	free(s->sql);
	s->list = NULL;
	s->sql = NULL;
}
