/*
 * Any bytes as a body. What is accepted must lie in the body, be what an
 * independent judge finds storable, and decode to the same alone; what is refused
 * must be refused by the judge too, or be over a limit.
 */
#include <stdio.h>
#include <stdlib.h>

#include "event/decode.h"
#include "tools/naive_json.h"

static const struct limits limits = { .event_bytes = 2000, .events = 32, .depth = 12 };
static struct uuid_source ids;
static struct decode_request req = {
	.received_at = 1795218327000000, .key = SLICE("k"), .context = SLICE("{}"), .ids = &ids,
};

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
within(struct slice s, struct slice body)
{
	return s.p >= body.p && s.p + s.n <= body.p + body.n;
}

/* A text column takes it: short, UTF-8, no NUL. */
static void
check_attribute(struct slice s)
{
	size_t i, n;

	CHECK(s.n <= ATTRIBUTE_MAX);
	for (i = 0; i < s.n; i += n) {
		n = utf8_char((const unsigned char *)s.p + i, s.n - i);
		CHECK(n > 0 && s.p[i] != '\0');
	}
}

static bool
is_made(const struct row *r)
{
	char text[UUID_TEXT];

	return slice_is(r->id, uuid_text(r->fingerprint, text));
}

static void
check_same_row(const struct row *a, const struct row *b)
{
	CHECK(slice_eq(a->payload, b->payload));
	CHECK(a->time == b->time);
	CHECK(slice_eq(a->type, b->type) && !a->type.p == !b->type.p);
	CHECK(slice_eq(a->source, b->source) && !a->source.p == !b->source.p);
	CHECK(slice_eq(a->subject, b->subject) && !a->subject.p == !b->subject.p);
	CHECK(is_made(a) == is_made(b));
	CHECK(is_made(a) || (slice_eq(a->id, b->id) && memcmp(&a->fingerprint, &b->fingerprint, 16) == 0));
}

static void
check_row(const struct row *r, struct slice body)
{
	CHECK(within(r->payload, body));
	CHECK(r->payload.n >= 2 && r->payload.n <= limits.event_bytes);
	CHECK(r->payload.p[0] == '{' && r->payload.p[r->payload.n - 1] == '}');
	CHECK(naive_storable(naive_judge(r->payload.p, r->payload.n, limits.depth)));
	CHECK(r->id.n > 0);
	check_attribute(r->id);
	check_attribute(r->type);
	check_attribute(r->source);
	check_attribute(r->subject);
}

static void
check_refused(const struct refused *f, struct slice body)
{
	struct naive v = naive_judge(f->raw.p, f->raw.n, limits.depth);

	CHECK(within(f->raw, body) && f->offset <= body.n);
	switch (f->code) {
	case REFUSE_INVALID_JSON:	CHECK(v.bad_grammar); break;
	case REFUSE_NOT_AN_OBJECT:	CHECK(!v.bad_grammar && f->raw.p[0] != '{'); break;
	case REFUSE_INVALID_UTF8:	CHECK(!v.bad_grammar && v.bad_utf8); break;
	case REFUSE_NUL_CHARACTER:
	case REFUSE_LONE_SURROGATE:	CHECK(!v.bad_grammar && v.bad_escape); break;
	case REFUSE_NUMBER_RANGE:	CHECK(!v.bad_grammar && v.bad_number); break;
	case REFUSE_TOO_DEEP:		CHECK(!v.bad_grammar && v.too_deep); break;
	case REFUSE_EVENT_TOO_LARGE:	CHECK(!v.bad_grammar && f->raw.n > limits.event_bytes); break;
	case REFUSE_ATTRIBUTE_TOO_LONG:	CHECK(naive_storable(v) && f->raw.n > ATTRIBUTE_MAX); break;
	default:			CHECK(false); break;	/* not of an event */
	}
}

static void
check_whole(const struct decoded *o, struct slice body)
{
	size_t bom = body.n >= 3 && memcmp(body.p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
	struct naive v = naive_judge(body.p + bom, body.n - bom, limits.depth);

	CHECK(o->whole_offset <= body.n);
	CHECK(o->n_rows == 0 && o->n_refused == 0);
	/* a value that is well-formed is never called bad JSON */
	CHECK(o->whole != REFUSE_INVALID_JSON || v.bad_grammar);
	if (o->whole == REFUSE_TOO_DEEP) {
		CHECK(body.n > 1000 && strchr("[{", body.p[o->whole_offset]));
		return;
	}
	CHECK(o->whole == REFUSE_EMPTY_BODY || o->whole == REFUSE_NO_EVENTS || o->whole == REFUSE_INVALID_JSON ||
	    o->whole == REFUSE_NOT_AN_OBJECT || o->whole == REFUSE_TOO_MANY_EVENTS);
}

/* Whether [p, end) separates events and is nothing else. */
static bool
is_between(const char *p, const char *end)
{
	for (; p < end; p++)
		if (!strchr(" \t\r\n,[]\x1e", *p) || *p == '\0') {
			if (end - p < 3 || memcmp(p, "\xEF\xBB\xBF", 3) != 0)
				return false;
			p += 2;
		}
	return true;
}

/* Every byte of the body is of an event, or refused, or between two. */
static void
check_gaps(const struct decoded *o, struct slice body)
{
	const char *at = body.p, *end = body.p + body.n;
	size_t row = 0, bad = 0;
	struct slice next;

	while (row < o->n_rows || bad < o->n_refused) {
		if (bad == o->n_refused || (row < o->n_rows && o->rows[row].payload.p < o->errors[bad].raw.p))
			next = o->rows[row++].payload;
		else
			next = o->errors[bad++].raw;
		CHECK(next.p >= at && is_between(at, next.p));
		at = next.p + next.n;
	}
	CHECK(is_between(at, end));
}

static void
check_all(const struct decoded *o, struct slice body)
{
	size_t i;

	if (o->whole != REFUSE_NONE) {
		check_whole(o, body);
		return;
	}
	check_gaps(o, body);
	CHECK(o->n_rows + o->n_refused > 0 && o->n_rows + o->n_refused <= limits.events);
	for (i = 0; i < o->n_rows; i++) {
		check_row(&o->rows[i], body);
		CHECK(i == 0 || o->rows[i].payload.p >= o->rows[i - 1].payload.p + o->rows[i - 1].payload.n);
	}
	for (i = 0; i < o->n_refused && i < DECODE_ERRORS_MAX; i++) {
		check_refused(&o->errors[i], body);
		CHECK(o->errors[i].index < o->n_rows + o->n_refused);
		CHECK(i == 0 || o->errors[i].index > o->errors[i - 1].index);
	}
}

/* Each event alone, in memory of just its size, is the same event. */
static void
check_alone(struct decoder *d, const struct row *r)
{
	const struct decoded *o;
	char *copy = malloc(r->payload.n);

	CHECK(copy);
	memcpy(copy, r->payload.p, r->payload.n);
	CHECK(decode_native(d, (struct slice){ copy, r->payload.n }, &req, &o) == ERR_OK);
	CHECK(o->n_rows == 1 && o->n_refused == 0 && o->whole == REFUSE_NONE);
	check_same_row(r, &o->rows[0]);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct decoder *old;	/* has seen all inputs before */
	struct decoder *fresh;
	const struct decoded *a, *b;
	char *copy = malloc(n ? n : 1);
	struct slice body = { copy, n };
	size_t i;

	if (!old) {
		uuid_source_init(&ids);
		CHECK(decoder_new(&old, &limits) == ERR_OK);
	}
	CHECK(copy && decoder_new(&fresh, &limits) == ERR_OK);
	if (n > 0)
		memcpy(copy, data, n);
	CHECK(decode_native(old, body, &req, &a) == ERR_OK && decode_native(fresh, body, &req, &b) == ERR_OK);
	check_all(a, body);
	CHECK(a->whole == b->whole && a->whole_offset == b->whole_offset);
	CHECK(a->n_rows == b->n_rows && a->n_refused == b->n_refused);
	for (i = 0; i < a->n_rows; i++)
		check_same_row(&a->rows[i], &b->rows[i]);
	for (i = 0; i < a->n_rows; i++)
		check_alone(fresh, &a->rows[i]);	/* b ends here */
	decoder_free(&fresh);
	free(copy);
	return 0;
}
