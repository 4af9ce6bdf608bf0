/*
 * Any row as COPY BINARY: what is written reads back as PostgreSQL reads it, field by
 * field, and nothing is left over. The input gives the fields: a byte says how long each
 * text is (255: absent), then come the bytes.
 */
#include "base/clock.h"
#include "sink/copy.h"

#define PG_EPOCH_US	INT64_C(946684800000000)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct input { const uint8_t *p; size_t n; };

static uint8_t
take_byte(struct input *in)
{
	in->n -= in->n > 0;
	return in->n > 0 ? *in->p++ : 0;
}

static int64_t
take_number(struct input *in)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | take_byte(in);
	return (int64_t)v;
}

static struct slice
take_text(struct input *in)
{
	size_t n = take_byte(in);
	struct slice s;

	if (n == 255)
		return (struct slice){ NULL, 0 };
	n = n < in->n ? n : in->n;
	s = (struct slice){ n ? (const char *)in->p : "", n };
	in->p += n;
	in->n -= n;
	return s;
}

/* --- the reader ----------------------------------------------------------------------- */

static uint64_t
get(struct slice *s, size_t bytes)
{
	uint64_t v = 0;

	CHECK(s->n >= bytes);
	for (; bytes > 0; bytes--, s->p++, s->n--)
		v = v << 8 | (uint8_t)*s->p;
	return v;
}

/* One field; absent: NULL. */
static struct slice
field(struct slice *s)
{
	uint32_t n = (uint32_t)get(s, 4);
	struct slice f = { s->p, n };

	if (n == UINT32_MAX)
		return (struct slice){ NULL, 0 };
	CHECK(n <= s->n);
	s->p += n;
	s->n -= n;
	return f;
}

static void
same(struct slice *s, struct slice want)
{
	struct slice f = field(s);

	CHECK((f.p == NULL) == (want.p == NULL) && f.n == want.n && (f.n == 0 || memcmp(f.p, want.p, f.n) == 0));
}

static void
same_number(struct slice *s, int64_t want)
{
	struct slice f = field(s);

	CHECK(f.n == 8 && (int64_t)get(&f, 8) == want);
}

/* timestamptz; what PostgreSQL has no time for is not asked here */
static void
same_time(struct slice *s, int64_t us)
{
	int64_t pg;

	if (us == CLOCK_UNSET)
		CHECK(!field(s).p);
	else if (!__builtin_sub_overflow(us, PG_EPOCH_US, &pg))
		same_number(s, pg);
	else
		CHECK(field(s).n == 8);
}

static void
same_jsonb(struct slice *s, struct slice want)
{
	struct slice f = field(s);

	if (!want.p) {
		CHECK(!f.p);
		return;
	}
	CHECK(f.n == want.n + 1 && f.p[0] == 1 && (want.n == 0 || memcmp(f.p + 1, want.p, want.n) == 0));
}

static void
same_attributes(struct slice *s, const struct row *r)
{
	same(s, r->key);
	same(s, r->source);
	same(s, r->id);
	same(s, r->type);
	same(s, r->subject);
	same_time(s, r->time);
}

static void
check_event(const struct row *r, struct uuid segment)
{
	struct buf b;
	struct slice s;

	buf_init(&b, SIZE_MAX);
	copy_event(&b, r, segment);
	CHECK(!b.failed);
	s = buf_slice(&b);
	CHECK(get(&s, 2) == 12);
	same_time(&s, r->received_at);
	same(&s, (struct slice){ (const char *)r->fingerprint.b, 16 });
	same_attributes(&s, r);
	same_jsonb(&s, r->payload);
	same_jsonb(&s, r->context);
	same(&s, (struct slice){ (const char *)segment.b, 16 });
	same_number(&s, r->seq);
	CHECK(s.n == 0);
	buf_fini(&b);
}

static void
check_rejection(const struct row *r, struct uuid segment)
{
	struct buf b;
	struct slice s;

	buf_init(&b, SIZE_MAX);
	copy_rejection(&b, r, segment);
	CHECK(!b.failed);
	s = buf_slice(&b);
	CHECK(get(&s, 2) == 12);
	same_time(&s, r->received_at);
	same(&s, r->reason);
	same_attributes(&s, r);
	same(&s, r->payload);
	same_jsonb(&s, r->context);
	same(&s, (struct slice){ (const char *)segment.b, 16 });
	same_number(&s, r->seq);
	CHECK(s.n == 0);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = { data, n };
	struct row r = { .seq = take_number(&in), .received_at = take_number(&in), .time = take_number(&in) };
	struct uuid segment;
	size_t i;

	for (i = 0; i < 16; i++) {
		r.fingerprint.b[i] = take_byte(&in);
		segment.b[i] = (uint8_t)~r.fingerprint.b[i];
	}
	r.key = take_text(&in);
	r.source = take_text(&in);
	r.id = take_text(&in);
	r.type = take_text(&in);
	r.subject = take_text(&in);
	r.reason = take_text(&in);
	r.context = take_text(&in);
	r.payload = (struct slice){ in.n ? (const char *)in.p : "", in.n };
	check_event(&r, segment);
	check_rejection(&r, segment);
	return 0;
}
