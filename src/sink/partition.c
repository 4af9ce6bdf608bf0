/*
 * Partitions: the days of a batch before it is loaded, days ahead, and retention.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sink/pg.h"

#define DAY_MIN	(-100000)	/* within what a date of PostgreSQL holds */
#define DAY_MAX	1000000
#define NO_DAY	INT64_MIN
#define MS_PER_DAY	INT64_C(86400000)
#define OWNERS_WORD	"ZF001"	/* of forebay.expire() */

void
pg_partitions_forget(struct pg *p)
{
	size_t i;

	for (i = 0; i < PG_DAYS; i++)
		p->days[i] = NO_DAY;
}

static bool
stands(const struct pg *p, int64_t day)
{
	size_t i;

	for (i = 0; i < PG_DAYS; i++)
		if (p->days[i] == day)
			return true;
	return false;
}

/* The distinct days of the batch; more than PG_DAYS is for smaller batches. */
static bool
list_days(const struct sink_batch *b, const uint8_t fate[], int64_t days[PG_DAYS], size_t *n)
{
	int64_t day;
	size_t i, k;

	*n = 0;
	for (i = 0; i < b->n_rows; i++) {
		day = clock_day(b->rows[i].received_at);
		if (fate[i] != FATE_LOAD || day < DAY_MIN || day > DAY_MAX)
			continue;
		for (k = *n; k > 0 && days[k - 1] != day; k--)
			;
		if (k > 0)
			continue;
		if (*n == PG_DAYS)
			return false;
		days[(*n)++] = day;
	}
	return true;
}

/* In seconds: before 15 PostgreSQL takes no number of more than 31 bits here. */
static const char *
interval(int64_t ms, char out[32])
{
	snprintf(out, 32, "%lld.%03lld s", (long long)(ms / 1000), (long long)(ms % 1000));
	return out;
}

/* Has the partitions made and remembers those that stand. */
static enum err
make(struct pg *p, const int64_t days[], size_t n)
{
	PGresult *res = NULL;
	char retention[32];
	struct buf list;
	enum err e;
	size_t k;
	int i;

	buf_init(&list, 4 + PG_DAYS * 22);
	for (k = 0; k < n; k++)
		buf_printf(&list, "%c%lld", k ? ',' : '{', (long long)days[k]);
	buf_put(&list, "}", 2);		/* with its NUL */
	interval(p->conf->flush_retention, retention);
	e = list.failed ? pg_fail(p, ERR_NOMEM, "out of memory") : pg_begin(p);
	if (e == ERR_OK)
		e = pg_query(p, &res, "SELECT d - date '1970-01-01' FROM forebay.make_partitions("
		"ARRAY(SELECT date '1970-01-01' + n FROM unnest($1::integer[]) n), $2::interval) d",
		(struct param[]){ { list.p, 0, false }, { retention, 0, false } }, 2);
	if (e == ERR_OK)
		e = pg_commit(p);
	pg_partitions_forget(p);
	for (i = 0; e == ERR_OK && i < PQntuples(res) && i < PG_DAYS; i++)
		p->days[i] = strtoll(PQgetvalue(res, i, 0), NULL, 10);
	PQclear(res);
	buf_fini(&list);
	return e;
}

enum err
pg_partitions(struct pg *p, const struct sink_batch *b, uint8_t fate[])
{
	int64_t days[PG_DAYS], day, last = NO_DAY;
	enum err e = ERR_OK;
	size_t i, n;

	if (!list_days(b, fate, days, &n))
		return pg_fail(p, ERR_FULL, "the batch holds rows of more than %d days", PG_DAYS);
	for (i = 0; i < n && stands(p, days[i]); i++)
		;
	if (i < n)
		e = make(p, days, n);
	for (i = 0; e == ERR_OK && i < b->n_rows; i++) {
		day = clock_day(b->rows[i].received_at);
		if (fate[i] != FATE_LOAD || day == last)
			continue;
		if (stands(p, day))
			last = day;
		else
			fate[i] = FATE_CLOCK;
	}
	return e;
}

int64_t
sink_progress_kept_ms(const struct conf *c)
{
	if (c->flush_retention == 0)
		return 0;
	/* forebay.expire() adds the day */
	return (c->flush_retention > c->journal_keep ? c->flush_retention : c->journal_keep) + MS_PER_DAY;
}

/* One statement in a transaction of its own. ERR_INVALID: the server refuses it and the
 * connection is whole, rows need not wait for that. */
static enum err
alone(struct pg *p, PGresult **res, const char *sql, const struct param *params, int n)
{
	enum err e = pg_begin(p);

	if (e != ERR_OK)
		return e;
	e = pg_query(p, res, sql, params, n);
	if (e == ERR_OK)
		return pg_commit(p);
	return PQtransactionStatus(p->conn) == PQTRANS_INERROR && pg_undo(p) == ERR_OK ? ERR_INVALID : e;
}

/* A call that drops a piece of what is old. ERR_BUSY: there is more. */
static enum err
drop(struct pg *p, const char *sql, const struct param *params, int n)
{
	PGresult *res = NULL;
	enum err e = alone(p, &res, sql, params, n);

	if (e == ERR_OK && strcmp(PQgetvalue(res, 0, 0), "0") != 0)
		e = ERR_BUSY;
	PQclear(res);
	return e;
}

static enum err
expire_rejections(struct pg *p)
{
	char retention[32];

	if (p->conf->flush_rejection_retention == 0)
		return ERR_OK;
	interval(p->conf->flush_rejection_retention, retention);
	return drop(p, "SELECT forebay.expire_rejections($1::interval)", &(struct param){ retention, 0, false }, 1);
}

/* The owner lets none of that go: what to type. */
static void
add_advice(struct pg *p)
{
	int64_t s = p->conf->flush_retention / 1000;
	size_t used = strlen(p->base.errmsg);

	snprintf(p->base.errmsg + used, sizeof p->base.errmsg - used, "; if they may be dropped, as its owner type: "
	    "%sforebay db migrate --retention %lld%c --conninfo %s", p->owner.sudo,
	    (long long)(s % 86400 ? s : s / 86400), s % 86400 ? 's' : 'd', p->owner.conninfo);
}

static enum err
expire(struct pg *p)
{
	char retention[32], keep[32];
	enum err e;

	if (p->conf->flush_retention == 0)
		return ERR_OK;
	interval(p->conf->flush_retention, retention);
	interval(p->conf->journal_keep, keep);
	e = drop(p, "SELECT forebay.expire($1::interval, $2::interval)",
	    (struct param[]){ { retention, 0, false }, { keep, 0, false } }, 2);
	if (e == ERR_INVALID && strcmp(p->sqlstate, OWNERS_WORD) == 0)
		add_advice(p);
	return e;
}

enum err
pg_maintain(struct sink *s)
{
	struct pg *p = (struct pg *)s;
	char ahead[32];
	enum err e, more;

	if (p->unremembered && (e = pg_remember(p)) != ERR_OK)
		return e;
	if (!p->conn)
		return pg_fail(p, ERR_DOWN, "not connected");
	snprintf(ahead, sizeof ahead, "%llu", (unsigned long long)p->conf->flush_partitions_ahead);
	e = alone(p, NULL, "SELECT forebay.make_partitions_ahead($1::integer)",
	    &(struct param){ ahead, 0, false }, 1);
	if (e == ERR_OK)
		e = expire_rejections(p);
	if (e == ERR_OK || e == ERR_BUSY) {
		more = e;
		e = expire(p);
		e = e == ERR_OK ? more : e;
	}
	if (e == ERR_INVALID)
		pg_diagnose(p);
	return e;
}
