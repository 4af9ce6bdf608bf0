#include "sink/copy.h"

#define PG_EPOCH_US	INT64_C(946684800000000)	/* 2000-01-01 */
#define UUID_OID	2950

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

static void
put_attributes(struct buf *b, const struct row *r)
{
	put_bytes(b, r->key);
	put_bytes(b, r->source);
	put_bytes(b, r->id);
	put_bytes(b, r->type);
	put_bytes(b, r->subject);
	put_time(b, r->time);
}

static void
put_place(struct buf *b, const struct row *r, struct uuid segment)
{
	copy_uuid(b, segment);
	put32(b, 8);
	put64(b, (uint64_t)r->seq);
}

void
copy_event(struct buf *b, const struct row *r, struct uuid segment, int32_t ord)
{
	put16(b, ord < 0 ? 12 : 13);
	if (ord >= 0) {
		put32(b, 4);
		put32(b, (uint32_t)ord);
	}
	put_time(b, r->received_at);
	copy_uuid(b, r->fingerprint);
	put_attributes(b, r);
	put_jsonb(b, r->payload);
	put_jsonb(b, r->context);
	put_place(b, r, segment);
}

void
copy_rejection(struct buf *b, const struct row *r, struct uuid segment)
{
	put16(b, 12);
	put_time(b, r->received_at);
	put_bytes(b, r->reason);
	put_attributes(b, r);
	put_bytes(b, r->payload);
	put_jsonb(b, r->context);
	put_place(b, r, segment);
}

void
copy_uuid_array(struct buf *b, size_t n)
{
	put32(b, n > 0);		/* dimensions */
	put32(b, 0);			/* no NULLs */
	put32(b, UUID_OID);
	if (n > 0) {
		put32(b, (uint32_t)n);
		put32(b, 1);		/* lower bound */
	}
}

void
copy_uuid(struct buf *b, struct uuid u)
{
	put32(b, sizeof u.b);
	buf_put(b, u.b, sizeof u.b);
}
