/*
 * Rows into their tables: for events the day before is asked, then COPY on the fast
 * path, and the help of insert.c where there are duplicates.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash.h"
#include "sink/copy.h"
#include "sink/pg.h"

#define CUT_OFF		"57014"		/* by statement_timeout, or by hand */
#define PIECE		(256 * 1024)	/* encoded at a time */

/* Keeps what the server said about a row, and which row its n-th is. */
static enum err
refused(struct pg *p, const struct sink_batch *b, const uint8_t fate[], enum fate sent,
	uint64_t nth, struct sink_result *r)
{
	size_t i;

	r->refused.why = strcmp(p->sqlstate, CUT_OFF) == 0 ? SINK_TIMED_OUT : SINK_REFUSED;
	memcpy(r->refused.sqlstate, p->sqlstate, sizeof p->sqlstate);
	snprintf(r->refused.message, sizeof r->refused.message, "%s", p->primary);
	r->refused.row = SIZE_MAX;
	for (i = 0; nth > 0 && i < b->n_rows; i++)
		if (fate[i] == (uint8_t)sent && --nth == 0)
			r->refused.row = i;
	return ERR_INVALID;
}

enum err
pg_load_err(struct pg *p, enum err e, const struct sink_batch *b, const uint8_t fate[], enum fate sent,
	    uint64_t nth, struct sink_result *r)
{
	/* the statement was cut off, the connection goes on */
	if (e == ERR_DOWN && strcmp(p->sqlstate, CUT_OFF) == 0 && PQtransactionStatus(p->conn) != PQTRANS_UNKNOWN)
		return refused(p, b, fate, sent, nth, r);
	return e == ERR_SETUP && pg_row_error(p) ? refused(p, b, fate, sent, nth, r) : e;
}

/* Sends the rows of one fate; *sent is how many. */
static enum err
send_rows(struct pg *p, const struct sink_batch *b, const uint8_t fate[], enum fate which, uint64_t *sent)
{
	struct buf *out = &p->out;
	enum err e = ERR_OK;
	size_t i, k;

	*sent = 0;
	buf_reset(out);
	copy_header(out);
	for (k = 0; e == ERR_OK && k < b->n_parts; k++) {
		for (i = b->parts[k].first; e == ERR_OK && i < b->parts[k].first + b->parts[k].n; i++) {
			if (fate[i] != (uint8_t)which)
				continue;
			(which == FATE_LOAD ? copy_event : copy_rejection)(out, &b->rows[i], b->parts[k].segment);
			++*sent;
			if (out->failed)
				e = pg_fail(p, ERR_NOMEM, "out of memory");
			else if (out->n >= PIECE && (e = pg_copy_data(p, out->p, out->n)) == ERR_OK)
				buf_reset(out);
		}
	}
	copy_trailer(out);
	if (e == ERR_OK)
		e = out->failed ? pg_fail(p, ERR_NOMEM, "out of memory") : pg_copy_data(p, out->p, out->n);
	return e;
}

/* COPY has taken as many rows as were sent, or it is an error (INV-13). */
static enum err
copy(struct pg *p, const char *sql, const struct sink_batch *b, const uint8_t fate[], enum fate which,
     struct sink_result *r)
{
	uint64_t sent = 0, count = 0, row = 0;
	enum err e = pg_copy_begin(p, sql);

	if (e == ERR_OK)
		e = send_rows(p, b, fate, which, &sent);
	CRASH_POINT("copying");
	if (e != ERR_OK)
		return e;
	e = pg_copy_end(p, &count, &row);
	/* or two connections with the same retries in another order: staging sorts them */
	if (e != ERR_OK && (strcmp(p->sqlstate, "23505") == 0 || strcmp(p->sqlstate, "40P01") == 0))
		return ERR_BUSY;
	e = pg_load_err(p, e, b, fate, which, row, r);
	/* a trigger that leaves rows out: find out which */
	if (e == ERR_OK && count < sent)
		return ERR_BUSY;
	/* a stream that was cut at a row's end is no error to the server */
	if (e == ERR_OK && count != sent)
		e = pg_fail(p, ERR_DOWN, "COPY took %llu rows of %llu", (unsigned long long)count,
		    (unsigned long long)sent);
	return e;
}

size_t
pg_count(const struct sink_batch *b, const uint8_t fate[], enum fate which)
{
	size_t i, n = 0;

	for (i = 0; i < b->n_rows; i++)
		n += fate[i] == (uint8_t)which;
	return n;
}

/* --- yesterday --------------------------------------------------------------- */

/* A server-made id is its own fingerprint; nobody can have sent it before. */
static bool
client_given(const struct row *r)
{
	char text[UUID_TEXT];

	return !slice_is(r->id, uuid_text(r->fingerprint, text));
}

/* A retry may arrive after midnight: in a day's first hour, ids that clients gave
 * are looked up in the partition of the day before. */
static bool
after_midnight(const struct row *r)
{
	return r->received_at - clock_day(r->received_at) * US_PER_DAY < US_PER_DAY / 24 && client_given(r);
}

struct param
pg_midnight(int64_t day, char out[CLOCK_TEXT + 16])
{
	char text[CLOCK_TEXT];

	snprintf(out, CLOCK_TEXT + 16, "%s 00:00:00+00", clock_day_text(day, text));
	return (struct param){ out, 0, false };
}

static enum err
find_in_day(struct pg *p, int64_t day, const struct buf *ids, PGresult **res)
{
	char since[CLOCK_TEXT + 16], until[CLOCK_TEXT + 16];

	return pg_query(p, res, "SELECT fingerprint FROM forebay.event WHERE fingerprint = ANY ($1::uuid[])"
	    " AND received_at >= $2::timestamptz AND received_at < $3::timestamptz",
	    (struct param[]){ { ids->p, (int)ids->n, true }, pg_midnight(day, since), pg_midnight(day + 1, until) }, 3);
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uuid));
}

static enum err
mark_found(struct pg *p, const PGresult *res, const struct sink_batch *b, int64_t day, uint8_t fate[])
{
	size_t i, n = (size_t)PQntuples(res);
	struct uuid *found = malloc((n + b->n_rows) * sizeof *found);
	const char *s;

	if (!found)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		s = PQgetvalue(res, (int)i, 0);
		if (!uuid_parse(s, strlen(s), &found[i]))
			found[i] = (struct uuid){ { 0 } };
	}
	/* or it goes in now, with the same batch */
	for (i = 0; i < b->n_rows; i++)
		if (fate[i] == FATE_LOAD && clock_day(b->rows[i].received_at) == day - 1)
			found[n++] = b->rows[i].fingerprint;
	qsort(found, n, sizeof *found, by_bytes);
	for (i = 0; i < b->n_rows; i++)
		if (fate[i] == FATE_LOAD && clock_day(b->rows[i].received_at) == day &&
		    after_midnight(&b->rows[i]) &&
		    bsearch(&b->rows[i].fingerprint, found, n, sizeof *found, by_bytes))
			fate[i] = FATE_DUPLICATE;
	free(found);
	return ERR_OK;
}

static enum err
look_in_yesterday(struct pg *p, const struct sink_batch *b, int64_t day, uint8_t fate[])
{
	PGresult *res = NULL;
	struct buf ids;
	enum err e;
	size_t i, n = 0;
	int pass;

	buf_init(&ids, 64 + b->n_rows * 20);
	for (pass = 0; pass < 2; pass++) {	/* counts, then puts */
		if (pass)
			copy_uuid_array(&ids, n);
		for (i = 0; i < b->n_rows; i++) {
			if (fate[i] != FATE_LOAD || clock_day(b->rows[i].received_at) != day ||
			    !after_midnight(&b->rows[i]))
				continue;
			n++;
			if (pass)
				copy_uuid(&ids, b->rows[i].fingerprint);
		}
	}
	e = ids.failed ? pg_fail(p, ERR_NOMEM, "out of memory") : find_in_day(p, day - 1, &ids, &res);
	if (e == ERR_OK)
		e = mark_found(p, res, b, day, fate);
	PQclear(res);
	buf_fini(&ids);
	return e;
}

static enum err
yesterdays(struct pg *p, const struct sink_batch *b, uint8_t fate[])
{
	int64_t day, done = INT64_MIN;
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; e == ERR_OK && i < b->n_rows; i++) {
		day = clock_day(b->rows[i].received_at);
		if (fate[i] == FATE_LOAD && day != done && after_midnight(&b->rows[i])) {
			e = look_in_yesterday(p, b, day, fate);
			done = day;
		}
	}
	return e;
}

#define COPY_EVENTS "COPY forebay.event (" COPY_EVENT_COLUMNS ") FROM STDIN (FORMAT binary)"

/*
 * Where there are duplicates: what stands already is left out, the rest goes by COPY.
 * Should another flusher be quicker, or something else keep a row out, INSERT says which.
 */
static enum err
staged(struct pg *p, const struct sink_batch *b, uint8_t fate[], struct sink_result *r)
{
	uint8_t *first = malloc(b->n_rows);
	enum err e;

	if (!first)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	memcpy(first, fate, b->n_rows);
	e = pg_find_events(p, b, fate);
	if (e == ERR_OK)
		e = pg_exec(p, NULL, "SAVEPOINT found");
	CRASH_POINT("staged");
	if (e == ERR_OK && pg_count(b, fate, FATE_LOAD) > 0)
		e = copy(p, COPY_EVENTS, b, fate, FATE_LOAD, r);
	if (e == ERR_BUSY) {
		memcpy(fate, first, b->n_rows);
		e = pg_exec(p, NULL, "ROLLBACK TO SAVEPOINT found");
		if (e == ERR_OK)
			e = pg_insert_events(p, b, fate, r);
	}
	free(first);
	return e;
}

enum err
pg_load_events(struct pg *p, const struct sink_batch *b, enum sink_mode mode, uint8_t fate[],
	       struct sink_result *r)
{
	enum err e = yesterdays(p, b, fate);

	if (e != ERR_OK || pg_count(b, fate, FATE_LOAD) == 0)
		return e;
	return mode == SINK_STAGED ? staged(p, b, fate, r) : copy(p, COPY_EVENTS, b, fate, FATE_LOAD, r);
}

enum err
pg_load_rejections(struct pg *p, const struct sink_batch *b, enum sink_mode mode, const uint8_t fate[],
		   struct sink_result *r)
{
	if (pg_count(b, fate, FATE_REJECTION) == 0)
		return ERR_OK;
	if (mode == SINK_STAGED)
		return pg_insert_rejections(p, b, fate, r);
	return copy(p, "COPY forebay.rejection (" COPY_REJECTION_COLUMNS ") FROM STDIN (FORMAT binary)", b, fate,
	    FATE_REJECTION, r);
}
