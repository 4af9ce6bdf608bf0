#include "sink/copy.h"

#define PG_EPOCH_US	INT64_C(946684800000000)	/* 2000-01-01 */

/* Of types, as in pg_type.dat: they never change. */
enum { BYTEA = 17, INT8 = 20, TEXT = 25, TIMESTAMPTZ = 1184, UUID = 2950, JSONB = 3802 };

static void
put16(struct buf *b, uint16_t v)
{
	uint16_t be = __builtin_bswap16(v);

	buf_put(b, &be, sizeof be);
}

static void
put32(struct buf *b, uint32_t v)
{
	uint32_t be = __builtin_bswap32(v);

	buf_put(b, &be, sizeof be);
}

static void
put64(struct buf *b, uint64_t v)
{
	uint64_t be = __builtin_bswap64(v);

	buf_put(b, &be, sizeof be);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the swaps above");

static void
put_null(struct buf *b)
{
	put32(b, UINT32_MAX);
}

static void
put_bytes(struct buf *b, struct slice s)
{
	if (!s.p) {
		put_null(b);
		return;
	}
	put32(b, (uint32_t)s.n);
	buf_put(b, s.p, s.n);
}

static void
put_jsonb(struct buf *b, struct slice s)
{
	if (!s.p) {
		put_null(b);
		return;
	}
	put32(b, (uint32_t)s.n + 1);
	buf_put(b, "\1", 1);		/* version of jsonb's send format */
	buf_put(b, s.p, s.n);
}

static void
put_time(struct buf *b, int64_t us)
{
	int64_t pg;

	if (us == CLOCK_UNSET) {
		put_null(b);
		return;
	}
	/* what does not fit becomes a value that PostgreSQL refuses, not another time */
	if (__builtin_sub_overflow(us, PG_EPOCH_US, &pg))
		pg = INT64_MIN + 1;
	put32(b, 8);
	put64(b, (uint64_t)pg);
}

void
copy_header(struct buf *b)
{
	buf_put(b, "PGCOPY\n\377\r\n\0", 11);
	put32(b, 0);			/* flags */
	put32(b, 0);			/* length of the header's extension */
}

void
copy_trailer(struct buf *b)
{
	put16(b, UINT16_MAX);
}

/* --- fields, each where its column goes ------------------------------------------ */

static void
put_attributes(struct buf *const out[], const struct row *r)
{
	put_bytes(out[0], r->key);
	put_bytes(out[1], r->source);
	put_bytes(out[2], r->id);
	put_bytes(out[3], r->type);
	put_bytes(out[4], r->subject);
	put_time(out[5], r->time);
}

static void
put_event(struct buf *const out[COPY_COLUMNS], const struct row *r, struct uuid segment)
{
	put_time(out[0], r->received_at);
	copy_uuid(out[1], r->fingerprint);
	put_attributes(out + 2, r);
	put_jsonb(out[8], r->payload);
	put_jsonb(out[9], r->context);
	copy_uuid(out[10], segment);
	copy_int64(out[11], r->seq);
}

static void
put_rejection(struct buf *const out[COPY_COLUMNS], const struct row *r, struct uuid segment)
{
	put_time(out[0], r->received_at);
	put_bytes(out[1], r->reason);
	put_attributes(out + 2, r);
	put_bytes(out[8], r->payload);
	put_jsonb(out[9], r->context);
	copy_uuid(out[10], segment);
	copy_int64(out[11], r->seq);
}

/* --- COPY: one after the other ---------------------------------------------------- */

void
copy_event(struct buf *b, const struct row *r, struct uuid segment)
{
	put16(b, COPY_COLUMNS);
	put_event((struct buf *[]){ b, b, b, b, b, b, b, b, b, b, b, b }, r, segment);
}

void
copy_rejection(struct buf *b, const struct row *r, struct uuid segment)
{
	put16(b, COPY_COLUMNS);
	put_rejection((struct buf *[]){ b, b, b, b, b, b, b, b, b, b, b, b }, r, segment);
}

/* --- arrays: each into its own ---------------------------------------------------- */

static void
put_head(struct buf *b, uint32_t type, size_t n)
{
	put32(b, n > 0);		/* dimensions */
	put32(b, 0);			/* are there NULLs? The server looks for itself */
	put32(b, type);
	if (n > 0) {
		put32(b, (uint32_t)n);
		put32(b, 1);		/* lower bound */
	}
}

static void
put_heads(struct buf column[COPY_COLUMNS], const uint16_t types[COPY_COLUMNS], size_t n)
{
	size_t i;

	for (i = 0; i < COPY_COLUMNS; i++)
		put_head(&column[i], types[i], n);
}

void
copy_event_heads(struct buf column[COPY_COLUMNS], size_t n)
{
	put_heads(column, (const uint16_t[]){ TIMESTAMPTZ, UUID, TEXT, TEXT, TEXT, TEXT, TEXT, TIMESTAMPTZ,
	    JSONB, JSONB, UUID, INT8 }, n);
}

void
copy_rejection_heads(struct buf column[COPY_COLUMNS], size_t n)
{
	put_heads(column, (const uint16_t[]){ TIMESTAMPTZ, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TIMESTAMPTZ,
	    BYTEA, JSONB, UUID, INT8 }, n);
}

#define EACH(c)	(struct buf *[]){ &(c)[0], &(c)[1], &(c)[2], &(c)[3], &(c)[4], &(c)[5], \
		&(c)[6], &(c)[7], &(c)[8], &(c)[9], &(c)[10], &(c)[11] }

void
copy_event_fields(struct buf column[COPY_COLUMNS], const struct row *r, struct uuid segment)
{
	put_event(EACH(column), r, segment);
}

void
copy_rejection_fields(struct buf column[COPY_COLUMNS], const struct row *r, struct uuid segment)
{
	put_rejection(EACH(column), r, segment);
}

void
copy_uuid_array(struct buf *b, size_t n)
{
	put_head(b, UUID, n);
}

void
copy_uuid(struct buf *b, struct uuid u)
{
	put32(b, sizeof u.b);
	buf_put(b, u.b, sizeof u.b);
}

void
copy_int64_array(struct buf *b, size_t n)
{
	put_head(b, INT8, n);
}

void
copy_int64(struct buf *b, int64_t v)
{
	put32(b, 8);
	put64(b, (uint64_t)v);
}

void
copy_jsonb_array(struct buf *b, size_t n)
{
	put_head(b, JSONB, n);
}

void
copy_jsonb(struct buf *b, struct slice s)
{
	put_jsonb(b, s);
}
