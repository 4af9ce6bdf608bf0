/*
 * What COPY cannot do: to find the rows that are there already, and to put rows in by an
 * INSERT that passes over them, and tell which they were. Their columns go as arrays in binary parameters, a piece
 * at a time; the server keeps nothing between the statements.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/copy.h"
#include "sink/pg.h"

#define PIECE	(1024 * 1024)	/* bytes in one statement, or a single larger row */
#define COLUMN_MAX	(512 * 1024 * 1024)	/* half of what a message may have */

/* A row on its way, where it stands in the batch, and in which segment. */
struct item { const struct row *row; struct uuid segment; size_t i; };

struct items {
	struct item *all;
	size_t n;
	struct buf column[COPY_COLUMNS];
};

static enum err
collect(struct pg *p, const struct sink_batch *b, const uint8_t fate[], enum fate which, struct items *it)
{
	size_t i, k;

	*it = (struct items){ .all = malloc((b->n_rows + 1) * sizeof *it->all) };
	for (k = 0; k < COPY_COLUMNS; k++)
		buf_init(&it->column[k], COLUMN_MAX);
	if (!it->all)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	for (k = 0; k < b->n_parts; k++)
		for (i = b->parts[k].first; i < b->parts[k].first + b->parts[k].n; i++)
			if (fate[i] == (uint8_t)which)
				it->all[it->n++] = (struct item){ &b->rows[i], b->parts[k].segment, i };
	return ERR_OK;
}

static void
finish(struct items *it)
{
	size_t k;

	for (k = 0; k < COPY_COLUMNS; k++)
		buf_fini(&it->column[k]);
	free(it->all);
}

static size_t
size(const struct row *r)
{
	return 200 + r->key.n + r->source.n + r->id.n + r->type.n + r->subject.n + r->reason.n +
	    r->payload.n + r->context.n;
}

/* How many of the items from `from` on make a piece; at least one. */
static size_t
piece(const struct items *it, size_t from)
{
	size_t i = from, bytes = 0;

	do
		bytes += size(it->all[i++].row);
	while (i < it->n && bytes + size(it->all[i].row) <= PIECE);
	return i - from;
}

static enum err
send_piece(struct pg *p, struct items *it, enum fate which, size_t from, size_t n, const char *sql,
	   uint64_t *count)
{
	struct param v[COPY_COLUMNS];
	PGresult *res = NULL;
	bool failed = false;
	enum err e;
	size_t i, k;

	for (k = 0; k < COPY_COLUMNS; k++)
		buf_reset(&it->column[k]);
	(which == FATE_LOAD ? copy_event_heads : copy_rejection_heads)(it->column, n);
	for (i = from; i < from + n; i++)
		(which == FATE_LOAD ? copy_event_fields : copy_rejection_fields)(it->column, it->all[i].row,
		    it->all[i].segment);
	for (k = 0; k < COPY_COLUMNS; k++) {
		v[k] = (struct param){ it->column[k].p, (int)it->column[k].n, true };
		failed = failed || it->column[k].failed;
	}
	if (failed)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	e = pg_query(p, &res, sql, v, COPY_COLUMNS);
	if (e == ERR_OK)
		*count += strtoull(PQcmdTuples(res), NULL, 10);
	PQclear(res);
	return e;
}

/* All items, in their order; *count is how many were new. */
static enum err
insert(struct pg *p, const struct sink_batch *b, const uint8_t fate[], enum fate which, struct items *it,
       const char *sql, uint64_t *count, struct sink_result *r)
{
	enum err e = ERR_OK;
	size_t from, n;

	*count = 0;
	for (from = 0; e == ERR_OK && from < it->n; from += n) {
		n = piece(it, from);
		e = send_piece(p, it, which, from, n, sql, count);
	}
	/* the server does not say which element it is that it cannot take */
	return pg_load_err(p, e, b, fate, which, it->n == 1, r);
}

/* --- events ----------------------------------------------------------------------- */

/* In the order of fingerprints, so that two flushers with the same retries wait for each
 * other but do not deadlock; the first of equal ones wins. */
static int
by_fingerprint(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int cmp = memcmp(&x->row->fingerprint, &y->row->fingerprint, sizeof x->row->fingerprint);

	return cmp != 0 ? cmp : x->i < y->i ? -1 : x->i > y->i;
}

/* What is asked of the rows of a day, and what the answer makes of a row. */
struct question { enum fate yes, no; const char *sql; };

/* Fingerprints, segments and seqs of the items of one day; returns how many. */
static size_t
keys_of_day(struct items *it, int64_t day, const struct item **of_day)
{
	struct buf *c = it->column;
	size_t i, n = 0;

	for (i = 0; i < it->n; i++)
		if (clock_day(it->all[i].row->received_at) == day)
			of_day[n++] = &it->all[i];
	for (i = 0; i < 3; i++)
		buf_reset(&c[i]);
	copy_uuid_array(&c[0], n);
	copy_uuid_array(&c[1], n);
	copy_int64_array(&c[2], n);
	for (i = 0; i < n; i++) {
		copy_uuid(&c[0], of_day[i]->row->fingerprint);
		copy_uuid(&c[1], of_day[i]->segment);
		copy_int64(&c[2], of_day[i]->row->seq);
	}
	return n;
}

/* Before: who stands there already, himself or another one of his fingerprint? */
static const struct question before = { FATE_STANDS, FATE_DUPLICATE,
	"SELECT s.nth, (e.segment, e.seq) = (s.segment, s.seq)"
	" FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) WITH ORDINALITY s(fingerprint, segment, seq, nth)"
	" JOIN forebay.event e ON e.fingerprint = s.fingerprint"
	" AND e.received_at >= $4::timestamptz AND e.received_at < $5::timestamptz" };

/* After: who does not stand as himself is a duplicate when another one stands under his
 * fingerprint on his day, else something else keeps him out. */
static const struct question after = { FATE_DUPLICATE, FATE_UNIQUE,
	"SELECT s.nth, e.seq IS NOT NULL"
	" FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) WITH ORDINALITY s(fingerprint, segment, seq, nth)"
	" LEFT JOIN forebay.event e ON e.fingerprint = s.fingerprint"
	" AND e.received_at >= $4::timestamptz AND e.received_at < $5::timestamptz"
	" WHERE (e.segment, e.seq) IS DISTINCT FROM (s.segment, s.seq)" };

static enum err
ask_of_day(struct pg *p, const struct question *q, struct items *it, int64_t day, const struct item **of_day,
	   uint8_t fate[])
{
	size_t n = keys_of_day(it, day, of_day), nth;
	char since[CLOCK_TEXT + 16], until[CLOCK_TEXT + 16];
	struct buf *c = it->column;
	PGresult *res = NULL;
	enum err e;
	int i;

	if (c[0].failed || c[1].failed || c[2].failed)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	e = pg_query(p, &res, q->sql, (struct param[]){ { c[0].p, (int)c[0].n, true }, { c[1].p, (int)c[1].n, true },
	    { c[2].p, (int)c[2].n, true }, pg_midnight(day, since), pg_midnight(day + 1, until) }, 5);
	for (i = 0; e == ERR_OK && i < PQntuples(res); i++) {
		nth = strtoull(PQgetvalue(res, i, 0), NULL, 10);
		if (nth >= 1 && nth <= n)
			fate[of_day[nth - 1]->i] = (uint8_t)(PQgetvalue(res, i, 1)[0] == 't' ? q->yes : q->no);
	}
	PQclear(res);
	return e;
}

static enum err
ask(struct pg *p, const struct question *q, struct items *it, uint8_t fate[])
{
	const struct item **of_day = malloc((it->n + 1) * sizeof *of_day);
	int64_t day, done[PG_DAYS];
	size_t i, k, n = 0;
	enum err e = ERR_OK;

	if (!of_day)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	for (i = 0; e == ERR_OK && i < it->n; i++) {
		day = clock_day(it->all[i].row->received_at);
		for (k = n; k > 0 && done[k - 1] != day; k--)
			;
		if (k > 0)
			continue;
		CHECK(n < PG_DAYS);	/* pg_partitions() allows no more */
		done[n++] = day;
		e = ask_of_day(p, q, it, day, of_day, fate);
	}
	free(of_day);
	return e;
}

/* The first of equal ones of a day goes in, if none stands there. */
static void
mark_repeated(const struct items *it, uint8_t fate[])
{
	const struct item *all = it->all;
	size_t i, k;

	for (i = 1; i < it->n; i++)
		for (k = i; k > 0 && fate[all[i].i] == FATE_LOAD &&
		    memcmp(&all[k - 1].row->fingerprint, &all[i].row->fingerprint, sizeof(struct uuid)) == 0; k--)
			if (clock_day(all[k - 1].row->received_at) == clock_day(all[i].row->received_at))
				fate[all[i].i] = FATE_DUPLICATE;
}

enum err
pg_find_events(struct pg *p, const struct sink_batch *b, uint8_t fate[])
{
	struct items it;
	enum err e = collect(p, b, fate, FATE_LOAD, &it);

	if (e == ERR_OK) {
		qsort(it.all, it.n, sizeof *it.all, by_fingerprint);
		e = ask(p, &before, &it, fate);
	}
	if (e == ERR_OK)
		mark_repeated(&it, fate);
	finish(&it);
	return e;
}

enum err
pg_insert_events(struct pg *p, const struct sink_batch *b, uint8_t fate[], struct sink_result *r)
{
	struct items it;
	uint64_t in = 0;
	enum err e = collect(p, b, fate, FATE_LOAD, &it);

	if (e == ERR_OK) {
		qsort(it.all, it.n, sizeof *it.all, by_fingerprint);
		e = insert(p, b, fate, FATE_LOAD, &it, "INSERT INTO forebay.event (" COPY_EVENT_COLUMNS ")"
		    " SELECT " COPY_EVENT_ARRAYS " ON CONFLICT DO NOTHING", &in, r);
	}
	if (e == ERR_OK && in < it.n) {
		e = ask(p, &after, &it, fate);
		/* more than went in now are loaded when a segment is sent again */
		if (e == ERR_OK && pg_count(b, fate, FATE_LOAD) < in)
			e = pg_fail(p, ERR_DOWN, "of %zu rows %llu were inserted, but only %zu are found",
			    it.n, (unsigned long long)in, pg_count(b, fate, FATE_LOAD));
	}
	finish(&it);
	return e;
}

/* --- rejections -------------------------------------------------------------------- */

enum err
pg_insert_rejections(struct pg *p, const struct sink_batch *b, const uint8_t fate[], struct sink_result *r)
{
	struct items it;
	uint64_t in;
	enum err e = collect(p, b, fate, FATE_REJECTION, &it);

	if (e == ERR_OK)
		e = insert(p, b, fate, FATE_REJECTION, &it, "INSERT INTO forebay.rejection ("
		    COPY_REJECTION_COLUMNS ") SELECT " COPY_REJECTION_ARRAYS " ON CONFLICT DO NOTHING",
		    &in, r);
	finish(&it);
	return e;
}
