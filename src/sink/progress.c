/*
 * forebay.progress: how far each segment stands. The only truth about it (INV-12).
 */
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "sink/copy.h"
#include "sink/pg.h"

#define AT_ONCE	1000		/* segments in one look-up */

static enum err
no_memory(struct pg *p)
{
	return pg_fail(p, ERR_NOMEM, "out of memory");
}

/* Row i of a result (segment, last_seq). */
static bool
take_row(const PGresult *res, int i, struct uuid *segment, int64_t *last)
{
	const char *s = PQgetvalue(res, i, 0);

	*last = strtoll(PQgetvalue(res, i, 1), NULL, 10);
	return uuid_parse(s, strlen(s), segment);
}

static void
take_progress(const PGresult *res, struct sink_progress *all, size_t n)
{
	struct uuid segment;
	int64_t last;
	size_t k;
	int i;

	for (k = 0; k < n; k++) {
		all[k].known = false;
		all[k].last_seq = 0;
	}
	for (i = 0; i < PQntuples(res); i++) {
		if (!take_row(res, i, &segment, &last))
			continue;
		for (k = 0; k < n && memcmp(&all[k].segment, &segment, sizeof segment) != 0; k++)
			;
		if (k < n) {
			all[k].known = true;
			all[k].last_seq = last;
		}
	}
}

enum err
pg_progress(struct sink *s, struct sink_progress *all, size_t n)
{
	struct pg *p = (struct pg *)s;
	PGresult *res;
	struct buf ids;
	size_t some, k;
	enum err e = p->conn ? pg_begin(p) : pg_fail(p, ERR_DOWN, "not connected");

	buf_init(&ids, 64 + AT_ONCE * 20);
	for (; e == ERR_OK && n > 0; all += some, n -= some) {
		some = n < AT_ONCE ? n : AT_ONCE;
		buf_reset(&ids);
		copy_uuid_array(&ids, some);
		for (k = 0; k < some; k++)
			copy_uuid(&ids, all[k].segment);
		if (ids.failed)
			e = no_memory(p);
		else
			e = pg_query(p, &res, "SELECT segment, last_seq FROM forebay.progress"
			    " WHERE segment = ANY ($1::uuid[])",
			    &(struct param){ ids.p, (int)ids.n, true }, 1);
		if (e == ERR_OK) {
			take_progress(res, all, some);
			PQclear(res);
		}
	}
	buf_fini(&ids);
	if (e == ERR_OK)
		e = pg_commit(p);
	if (e == ERR_SETUP)
		pg_diagnose(p);
	return e;
}

/* The segments of all parts, or of those without a progress row. */
static void
part_ids(const struct sink_batch *b, bool missing_only, struct buf *ids)
{
	size_t i, n = 0;

	for (i = 0; i < b->n_parts; i++)
		n += !missing_only || !b->parts[i].known;
	copy_uuid_array(ids, n);
	for (i = 0; i < b->n_parts; i++)
		if (!missing_only || !b->parts[i].known)
			copy_uuid(ids, b->parts[i].segment);
}

static void
take_locked(const PGresult *res, const struct sink_batch *b, int64_t last[])
{
	struct uuid segment;
	int64_t seq;
	size_t k;
	int i;

	for (k = 0; k < b->n_parts; k++)
		last[k] = -1;
	for (i = 0; i < PQntuples(res); i++)
		for (k = 0; take_row(res, i, &segment, &seq) && k < b->n_parts; k++)
			if (memcmp(&b->parts[k].segment, &segment, sizeof segment) == 0)
				last[k] = seq;
}

enum err
pg_progress_lock(struct pg *p, const struct sink_batch *b, int64_t last[])
{
	PGresult *res = NULL;
	struct buf ids, missing;
	char text[UUID_TEXT];
	enum err e;
	size_t i;

	buf_init(&ids, 64 + SINK_SEGMENTS_MAX * 20);
	buf_init(&missing, 64 + SINK_SEGMENTS_MAX * 20);
	part_ids(b, false, &ids);
	part_ids(b, true, &missing);
	e = ids.failed || missing.failed ? no_memory(p) :
	    pg_query(p, &res, "SELECT locked, last FROM forebay.lock_progress($1::uuid[], $2::uuid[], $3)",
		(struct param[]){ { ids.p, (int)ids.n, true }, { missing.p, (int)missing.n, true },
		{ p->node, 0, false } }, 3);
	if (e == ERR_OK)
		take_locked(res, b, last);
	for (i = 0; e == ERR_OK && i < b->n_parts; i++)
		if (last[i] + 1 < b->rows[b->parts[i].first].seq)
			e = pg_fail(p, ERR_DOWN, "the progress of segment %s went back to %lld: it is read again",
			    uuid_text(b->parts[i].segment, text), (long long)last[i]);
	PQclear(res);
	buf_fini(&ids);
	buf_fini(&missing);
	return e;
}

enum { SINCE, UPTO, LOADED, DUPLICATES, QUARANTINED, REJECTED, N_NUMBERS };

/* One array of numbers for each column, as text. */
static size_t
update_arrays(const struct sink_batch *b, const int64_t last[], const struct tally t[],
	      struct buf *ids, struct buf numbers[N_NUMBERS])
{
	size_t i, k, n = 0;
	int64_t upto;

	for (i = 0; i < b->n_parts; i++)
		n += b->rows[b->parts[i].first + b->parts[i].n - 1].seq > last[i];
	copy_uuid_array(ids, n);
	for (i = 0; i < b->n_parts; i++) {
		upto = b->rows[b->parts[i].first + b->parts[i].n - 1].seq;
		if (upto <= last[i])
			continue;
		const uint64_t v[N_NUMBERS] = { (uint64_t)last[i], (uint64_t)upto, t[i].loaded,
			t[i].duplicates, t[i].quarantined, t[i].rejected };

		/* every row is counted once (INV-16) */
		CHECK(v[UPTO] - v[SINCE] == v[LOADED] + v[DUPLICATES] + v[QUARANTINED] + v[REJECTED]);
		copy_uuid(ids, b->parts[i].segment);
		for (k = 0; k < N_NUMBERS; k++)
			buf_printf(&numbers[k], "%c%llu", numbers[k].n ? ',' : '{', (unsigned long long)v[k]);
	}
	for (k = 0; k < N_NUMBERS; k++)
		buf_put(&numbers[k], "}", 2);	/* with its NUL */
	return n;
}

enum err
pg_progress_update(struct pg *p, const struct sink_batch *b, const int64_t last[],
		   const struct tally t[])
{
	struct buf ids, numbers[N_NUMBERS];
	struct param params[N_NUMBERS + 1];
	PGresult *res = NULL;
	enum err e = ERR_OK;
	size_t n, k;

	buf_init(&ids, 64 + SINK_SEGMENTS_MAX * 20);
	for (k = 0; k < N_NUMBERS; k++)
		buf_init(&numbers[k], 4 + SINK_SEGMENTS_MAX * 22);
	n = update_arrays(b, last, t, &ids, numbers);
	params[0] = (struct param){ ids.p, (int)ids.n, true };
	for (k = 0; k < N_NUMBERS; k++) {
		params[k + 1] = (struct param){ numbers[k].p, 0, false };
		if (ids.failed || numbers[k].failed)
			e = no_memory(p);
	}
	if (e == ERR_OK && n > 0)
		e = pg_query(p, &res, "SELECT forebay.advance($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[],"
		    " $5::bigint[], $6::bigint[], $7::bigint[])", params, N_NUMBERS + 1);
	if (e == ERR_OK && n > 0 && strtoull(PQgetvalue(res, 0, 0), NULL, 10) != n)
		e = pg_fail(p, ERR_DOWN, "progress was not where it was locked");
	PQclear(res);
	buf_fini(&ids);
	for (k = 0; k < N_NUMBERS; k++)
		buf_fini(&numbers[k]);
	return e;
}
