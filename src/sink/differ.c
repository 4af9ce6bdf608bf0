/*
 * Duplicates that say something else than what stands: an Idempotency-Key that was used
 * for another event. Most fingerprints cover the payload, so only the others are asked
 * about, and only when they are duplicates.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/fingerprint.h"
#include "sink/copy.h"
#include "sink/pg.h"

#define DIFFER_MAX	(512 * 1024 * 1024)	/* bytes of payloads: half of what a message may have */

/* Could an event of another payload have this fingerprint? */
static enum err
is_open(struct pg *p, const struct row *r, bool *open)
{
	struct uuid u = { { 0 } };
	enum err e = ERR_OK;

	if (!p->sha256)
		e = sha256_new(&p->sha256);
	if (e == ERR_OK)
		e = fingerprint_event(p->sha256, r->key, r->source, r->id, r->payload, r->time, &u);
	*open = e == ERR_OK && memcmp(&u, &r->fingerprint, sizeof u) != 0;
	return e == ERR_OK ? e : pg_fail(p, e, "out of memory");
}

/* The rows of the batch that are to be asked about, and their days. */
static enum err
choose(struct pg *p, const struct sink_batch *b, const uint8_t fate[], size_t chosen[], size_t *n,
       int64_t *first, int64_t *last)
{
	enum err e = ERR_OK;
	int64_t day;
	bool open;
	size_t i;

	*n = 0;
	*first = INT64_MAX;
	*last = INT64_MIN;
	for (i = 0; e == ERR_OK && i < b->n_rows; i++) {
		if (fate[i] != FATE_DUPLICATE || (e = is_open(p, &b->rows[i], &open)) != ERR_OK || !open)
			continue;
		day = clock_day(b->rows[i].received_at);
		*first = day < *first ? day : *first;
		*last = day > *last ? day : *last;
		chosen[(*n)++] = i;
	}
	return e;
}

static enum err
ask(struct pg *p, const struct sink_batch *b, const uint8_t fate[], const size_t chosen[], size_t n,
    int64_t first, int64_t last, struct sink_result *r)
{
	char since[CLOCK_TEXT + 16], until[CLOCK_TEXT + 16];
	struct buf fingerprints, payloads;
	PGresult *res = NULL;
	enum err e;
	size_t i, nth;

	buf_init(&fingerprints, 64 + n * 20);
	buf_init(&payloads, DIFFER_MAX);
	copy_uuid_array(&fingerprints, n);
	copy_jsonb_array(&payloads, n);
	for (i = 0; i < n; i++) {
		copy_uuid(&fingerprints, b->rows[chosen[i]].fingerprint);
		copy_jsonb(&payloads, b->rows[chosen[i]].payload);
	}
	if (fingerprints.failed || payloads.failed)
		e = pg_fail(p, ERR_NOMEM, "out of memory");
	else	/* what stands may have come the day before */
		e = pg_load_err(p, pg_query(p, &res, "SELECT forebay.differing($1::uuid[], $2::jsonb[],"
		    " $3::timestamptz, $4::timestamptz)",
		    (struct param[]){ { fingerprints.p, (int)fingerprints.n, true },
			{ payloads.p, (int)payloads.n, true }, pg_midnight(first - 1, since),
			pg_midnight(last + 1, until) }, 4), b, fate, FATE_DUPLICATE, 0, r);
	for (i = 0; e == ERR_OK && i < (size_t)PQntuples(res); i++) {
		nth = strtoull(PQgetvalue(res, (int)i, 0), NULL, 10);
		if (nth >= 1 && nth <= n && r->differing++ == 0)
			r->differs = chosen[nth - 1];
	}
	PQclear(res);
	buf_fini(&fingerprints);
	buf_fini(&payloads);
	return e;
}

enum err
pg_differing(struct pg *p, const struct sink_batch *b, const uint8_t fate[], struct sink_result *r)
{
	size_t *chosen, n;
	int64_t first, last;
	enum err e;

	if (!memchr(fate, FATE_DUPLICATE, b->n_rows))
		return ERR_OK;
	chosen = malloc(b->n_rows * sizeof *chosen);
	if (!chosen)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	e = choose(p, b, fate, chosen, &n, &first, &last);
	if (e == ERR_OK && n > 0)
		e = ask(p, b, fate, chosen, n, first, last, r);
	free(chosen);
	return e;
}
