/* What a batch holds, where it ends, and what a slice of it is. */
#include "base/clock.h"
#include "flush/batch.h"
#include "tools/tap.h"

static struct row
row(int64_t seq, int64_t head, const char *payload, const char *context)
{
	return (struct row){
		.seq = seq, .head = head, .received_at = seq, .time = CLOCK_UNSET, .key = SLICE(""),
		.payload = slice_str(payload), .context = slice_str(context),
	};
}

static struct uuid
segment(uint8_t n)
{
	return (struct uuid){ { n } };
}

static void
test_copies(void)
{
	struct batch b;
	struct row r;
	char payload[] = "{\"a\":1}", context[] = "{\"c\":1}";

	ok(batch_init(&b, 10, 1000) == ERR_OK, "a batch");
	batch_segment(&b, segment(1), false);
	r = row(1, 1, payload, context);
	ok(batch_add(&b, &r), "takes a row");
	r = row(2, 1, payload, context);
	batch_add(&b, &r);
	r = row(3, 3, payload, context);
	batch_add(&b, &r);
	memset(payload, 'x', sizeof payload - 1);
	memset(context, 'x', sizeof context - 1);
	ok(slice_is(b.rows[0].payload, "{\"a\":1}") && slice_is(b.rows[1].payload, "{\"a\":1}"),
	    "the row's bytes are the batch's own");
	ok(b.rows[0].key.p && b.rows[0].key.n == 0 && !b.rows[0].source.p, "empty stays empty, absent absent");
	ok(b.rows[0].context.p == b.rows[1].context.p && slice_is(b.rows[1].context, "{\"c\":1}"),
	    "a request's context is kept once");
	ok(b.rows[2].context.p != b.rows[1].context.p, "another request's is another");
	batch_fini(&b);
}

static void
test_limits(void)
{
	static char large[3000];
	struct batch b;
	struct row r;
	int i;

	memset(large, ' ', sizeof large - 1);
	if (batch_init(&b, 5, 1000) != ERR_OK)
		return;
	batch_segment(&b, segment(1), false);
	for (i = 1; i <= 5; i++) {
		r = row(i, i, "{}", "{}");
		batch_add(&b, &r);
	}
	r = row(6, 6, "{}", "{}");
	ok(!batch_add(&b, &r) && b.n == 5, "no more than its rows");
	batch_clear(&b);
	batch_segment(&b, segment(1), false);
	r = row(1, 1, large, "{}");
	ok(batch_add(&b, &r), "a row over the limit goes");
	r = row(2, 2, "{}", "{}");
	ok(!batch_add(&b, &r), "but alone");
	batch_clear(&b);
	batch_segment(&b, segment(1), false);
	r = row(1, 1, "{}", "{}");
	batch_add(&b, &r);
	r = row(2, 2, large, "{}");
	ok(!batch_add(&b, &r) && b.n == 1, "and not behind another");
	batch_clear(&b);
	for (i = 0; i < 2 * SINK_SEGMENTS_MAX; i++)
		batch_segment(&b, segment((uint8_t)i), false);
	is_int((int)b.n_parts, 1, "segments without a row take no room");
	batch_clear(&b);
	batch_fini(&b);
	if (batch_init(&b, 100, 10000) != ERR_OK)
		return;
	for (i = 0; batch_segment(&b, segment((uint8_t)i), false); i++) {
		r = row(1, 1, "{}", "{}");
		batch_add(&b, &r);
	}
	is_int(i, SINK_SEGMENTS_MAX, "no more segments than a sink takes");
	batch_fini(&b);
}

static void
test_slices(void)
{
	struct sink_batch s;
	struct batch b;
	struct row r;
	int i, k;

	if (batch_init(&b, 100, 10000) != ERR_OK)
		return;
	for (k = 0; k < 3; k++) {
		batch_segment(&b, segment((uint8_t)k), k == 1);
		for (i = 0; i < 4; i++) {
			r = row(10 * k + i, 10 * k + i, "{}", "{}");
			batch_add(&b, &r);
		}
	}
	batch_slice(&b, 0, 12, &s);
	ok(s.n_parts == 3 && s.n_rows == 12 && s.parts[2].first == 8 && s.parts[2].n == 4, "all of it");
	batch_slice(&b, 3, 6, &s);
	ok(s.n_parts == 3 && s.parts[0].first == 0 && s.parts[0].n == 1 && s.parts[1].first == 1 &&
	    s.parts[1].n == 4 && s.parts[2].first == 5 && s.parts[2].n == 1, "across three segments");
	ok(s.rows[0].seq == 3 && s.rows[5].seq == 20, "the right rows");
	ok(!s.parts[0].known && s.parts[1].known, "what is known goes along");
	batch_slice(&b, 5, 1, &s);
	ok(s.n_parts == 1 && s.parts[0].segment.b[0] == 1 && s.parts[0].first == 0 && s.parts[0].n == 1,
	    "one row");
	batch_slice(&b, 5, 0, &s);
	is_int((int)s.n_parts, 0, "none");
	batch_fini(&b);
}

static void
test_days(void)
{
	const int64_t noon = 20000 * US_PER_DAY + US_PER_DAY / 2;
	int64_t first, last;
	struct batch b;
	struct row r;

	if (batch_init(&b, 10, 1000) != ERR_OK)
		return;
	batch_days(&b, &first, &last);
	ok(first > last, "an empty batch has no day");
	batch_segment(&b, segment(1), false);
	r = row(1, 1, "{}", "{}");
	r.received_at = noon;
	batch_add(&b, &r);
	r.received_at = noon + US_PER_DAY;
	batch_add(&b, &r);
	batch_segment(&b, segment(2), false);
	r.received_at = noon - US_PER_DAY;
	batch_add(&b, &r);
	batch_days(&b, &first, &last);
	ok(first == 19999 && last == 20001, "the first and last day of all segments");
	batch_fini(&b);
}

int
main(void)
{
	test_copies();
	test_limits();
	test_slices();
	test_days();
	return done();
}
