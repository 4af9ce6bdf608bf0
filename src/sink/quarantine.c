/*
 * forebay.quarantine: rows that cannot stand in forebay.event, as they came.
 */
#include <stdio.h>

#include "base/clock.h"
#include "sink/pg.h"

/* The segment of row i; parts stand in the order of their rows. */
static struct uuid
segment_of(const struct sink_batch *b, size_t i)
{
	size_t k = 0;

	while (i >= b->parts[k].first + b->parts[k].n)
		k++;
	return b->parts[k].segment;
}

/* Text that any column takes, with its NUL; NULL when absent. What is not UTF-8
 * becomes U+FFFD. */
static const char *
readable(struct buf *b, struct slice s)
{
	const unsigned char *c = (const unsigned char *)s.p;
	size_t i = 0, len, start = b->n;

	if (!s.p)
		return NULL;
	while (i < s.n) {
		len = utf8_char(c + i, s.n - i);
		if (len == 0 || c[i] == 0)
			buf_puts(b, "\xEF\xBF\xBD");
		else
			buf_put(b, c + i, len);
		i += len ? len : 1;
	}
	buf_put(b, "", 1);
	return b->failed ? "" : b->p + start;
}

static const char *
timestamp(int64_t us, char out[CLOCK_TEXT + 4])
{
	char text[CLOCK_TEXT];

	if (us == CLOCK_UNSET || *clock_text(us, text) == '?')
		return NULL;
	snprintf(out, CLOCK_TEXT + 4, "%s+00", text);
	return out;
}

static enum err
quarantine_row(struct pg *p, const struct row *r, struct uuid segment, const char *reason,
	       const char *sqlstate, const char *message)
{
	char segment_text[UUID_TEXT], fingerprint[UUID_TEXT], seq[24];
	char received[CLOCK_TEXT + 4], time[CLOCK_TEXT + 4];
	/* the server's words, too: they may have been cut inside of a character */
	const struct slice texts[] = { slice_str(message), r->key, r->source, r->id, r->type, r->subject };
	static const int columns[ARRAY_SIZE(texts)] = { 4, 7, 8, 9, 10, 11 };
	struct param v[15] = {
		{ uuid_text(segment, segment_text), 0, false }, { seq, 0, false }, { reason, 0, false },
		{ sqlstate, 0, false }, [5] = { timestamp(r->received_at, received), 0, false },
		{ uuid_text(r->fingerprint, fingerprint), 0, false },
		[12] = { timestamp(r->time, time), 0, false },
		{ r->payload.p, (int)r->payload.n, true }, { r->context.p, (int)r->context.n, true },
	};
	size_t i, room = 0;

	snprintf(seq, sizeof seq, "%lld", (long long)r->seq);
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		room += texts[i].n * 3 + 1;
	buf_reset(&p->out);
	if (!buf_room(&p->out, room))	/* so that it does not move below */
		return pg_fail(p, ERR_NOMEM, "out of memory");
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		v[columns[i]].p = readable(&p->out, texts[i]);
	return pg_query(p, NULL, "INSERT INTO forebay.quarantine (segment, seq, reason, sqlstate, message,"
	    " received_at, fingerprint, key, source, id, type, subject, time, payload, context)"
	    " VALUES ($1::uuid, $2::bigint, $3, $4, $5, $6::timestamptz, $7::uuid, $8, $9, $10, $11, $12,"
	    " $13::timestamptz, $14::bytea, $15::bytea) ON CONFLICT DO NOTHING", v, ARRAY_SIZE(v));
}

enum err
pg_quarantine(struct pg *p, const struct sink_batch *b, const uint8_t fate[],
	      const struct sink_bad *bad, size_t n_bad)
{
	enum err e = ERR_OK;
	char kept_out[256];
	size_t i, k;

	snprintf(kept_out, sizeof kept_out, "kept out by %s", p->kept_out_by);
	for (i = 0; e == ERR_OK && i < b->n_rows; i++) {
		if (fate[i] == FATE_CLOCK)
			e = quarantine_row(p, &b->rows[i], segment_of(b, i), "clock", NULL,
			    "received_at is too far from PostgreSQL's clock, or past the retention");
		else if (fate[i] == FATE_UNIQUE)
			e = quarantine_row(p, &b->rows[i], segment_of(b, i), "unique", "23505",
			    kept_out);
		for (k = 0; fate[i] == FATE_BAD && e == ERR_OK && k < n_bad; k++)
			if (bad[k].row == i)
				e = quarantine_row(p, &b->rows[i], segment_of(b, i),
				    bad[k].why == SINK_TIMED_OUT ? "timeout" : "refused",
				    bad[k].sqlstate, bad[k].message);
	}
	return e;
}
