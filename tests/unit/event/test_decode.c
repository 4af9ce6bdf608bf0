/* The decoder beyond single bodies: what a row holds, limits, reuse, memory. */
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "event/decode.h"
#include "tools/tap.h"

#if defined(__SANITIZE_ADDRESS__)
#define NO_RLIMIT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NO_RLIMIT 1
#endif
#endif

static const struct limits limits = { .event_bytes = 1 << 20, .events = 10000, .depth = 64 };
static struct uuid_source ids;
static struct decode_request req;
static struct decoder *d;
static const struct decoded *o;

static void
decode(struct slice body)
{
	enum err e = decode_native(d, body, &req, &o);

	if (e != ERR_OK)
		ok(false, "decode: %s", err_name(e));
}

/* text N times between two others; the caller frees .p */
static struct slice
repeat(const char *front, size_t n, const char *text, const char *back)
{
	size_t f = strlen(front), t = strlen(text), i;
	char *p = malloc(f + n * t + strlen(back) + 1);

	CHECK(p);
	memcpy(p, front, f);
	for (i = 0; i < n; i++)
		memcpy(p + f + i * t, text, t);
	memcpy(p + f + n * t, back, strlen(back) + 1);
	return (struct slice){ p, f + n * t + strlen(back) };
}

static void
release(struct slice s)
{
	free((char *)(uintptr_t)s.p);
}

static void
test_row(void)
{
	struct slice body = SLICE(" {\"id\":\"a\",\"source\":\"s\",\"x\":\"\\u00e9\"} ");
	char made[UUID_TEXT];
	struct uuid first;

	req.key = SLICE("k1");
	req.context = SLICE("{\"protocol\":\"native\"}");
	decode(body);
	is_int((long long)o->n_rows, 1, "one row");
	ok(o->rows[0].kind == ROW_EVENT && o->rows[0].received_at == req.received_at, "kind and time");
	ok(o->rows[0].key.p == req.key.p && o->rows[0].context.p == req.context.p, "key and context are the request's");
	ok(o->rows[0].payload.p == body.p + 1 && o->rows[0].payload.n == body.n - 2, "the payload is the body's own bytes (INV-4)");
	ok(o->rows[0].id.p == body.p + 8, "so is an attribute without escapes");
	ok(slice_is(o->rows[0].source, "s") && !o->rows[0].type.p && !o->rows[0].subject.p &&
	    !o->rows[0].reason.p && o->rows[0].time == CLOCK_UNSET, "what is not there is absent");
	first = o->rows[0].fingerprint;
	decode(body);
	ok(memcmp(&first, &o->rows[0].fingerprint, 16) == 0, "the same event has the same fingerprint");
	req.source = SLICE("key's");
	decode(body);
	ok(slice_is(o->rows[0].source, "key's"), "the key's source wins");
	ok(memcmp(&first, &o->rows[0].fingerprint, 16) != 0, "and makes another event");
	req.source = (struct slice){ 0 };

	decode(SLICE("[{},{}]"));
	ok(o->n_rows == 2 && o->rows[0].id.n == 36 &&
	    slice_is(o->rows[0].id, uuid_text(o->rows[0].fingerprint, made)) &&
	    o->rows[0].fingerprint.b[6] >> 4 == 7, "without an id one is made, which is the fingerprint too");
	ok(memcmp(&o->rows[0].fingerprint, &o->rows[1].fingerprint, 16) < 0, "a new one for each, in order");
	ok(slice_is(o->rows[0].id, uuid_text(o->rows[0].fingerprint, made)), "and the first is still readable");
}

static void
test_fingerprints(void)
{
	static const char *const distinct[] = {
		"{\"id\":\"a\"}", "{\"id\":\"b\"}", "{\"id\":\"a\" }", "{\"id\":\"a\",\"v\":1}",
		"{\"id\":\"a\",\"v\":2}", "{\"id\":\"a\",\"source\":\"\"}", "{\"id\":\"a\",\"source\":\"s\"}",
		"{\"id\":1}", "{\"id\":\"1\"}", "{\"id\":1.0}",
	};
	struct uuid seen[ARRAY_SIZE(distinct)];
	size_t i, k, same = 0;

	for (i = 0; i < ARRAY_SIZE(distinct); i++) {
		decode(slice_str(distinct[i]));
		seen[i] = o->rows[0].fingerprint;
		for (k = 0; k < i; k++)
			same += memcmp(&seen[i], &seen[k], 16) == 0;
	}
	is_int((long long)same, 0, "events that differ in a byte differ in their fingerprint");
	decode(SLICE("[ {\"id\":\"a\"} ]"));
	ok(memcmp(&seen[0], &o->rows[0].fingerprint, 16) == 0, "what stands around an event does not count");
}

/* The header says what a retry is: neither ids nor payloads do. */
static void
test_idempotency_key(void)
{
	struct uuid a, b, id;
	char text[UUID_TEXT];

	req.idempotency_key = SLICE("k");
	decode(SLICE("[{},5,{\"id\":\"x\"}]"));
	is_int((long long)o->n_rows, 2, "two events");
	a = o->rows[0].fingerprint;
	b = o->rows[1].fingerprint;
	ok(slice_is(o->rows[1].id, "x") && o->rows[0].id.n == UUID_TEXT - 1, "ids stay what they are");
	ok(uuid_parse(o->rows[0].id.p, o->rows[0].id.n, &id) && id.b[6] >> 4 == 8 && id.b[8] >> 6 == 2 &&
	    memcmp(&id, &a, 16) != 0, "who has none gets a UUIDv8, which is not the fingerprint");
	decode(SLICE("[{\"other\":1},{},{}]"));
	ok(slice_is(o->rows[0].id, uuid_text(id, text)), "another delivery gets the same id");
	ok(memcmp(&a, &o->rows[0].fingerprint, 16) == 0 && memcmp(&b, &o->rows[2].fingerprint, 16) == 0,
	    "the same key at the same place");
	ok(memcmp(&a, &o->rows[1].fingerprint, 16) != 0, "and another place");
	ok(!slice_eq(o->rows[0].id, o->rows[1].id) && !slice_eq(o->rows[1].id, o->rows[2].id), "whose id is another");
	req.idempotency_key = SLICE("l");
	decode(SLICE("{}"));
	ok(memcmp(&a, &o->rows[0].fingerprint, 16) != 0, "and another key");
	req.idempotency_key = (struct slice){ 0 };
}

static void
test_counts(void)
{
	struct slice s = repeat("[", 9999, "{},", "{}]");
	size_t i, wrong = 0;

	decode(s);
	is_int((long long)o->n_rows, 10000, "10,000 events");
	for (i = 0; i < o->n_rows; i++)
		wrong += o->rows[i].payload.p != s.p + 1 + 3 * i || o->rows[i].payload.n != 2;
	is_int((long long)wrong, 0, "each at its place");
	release(s);
	s = repeat("", 10001, "{}\n", "");
	decode(s);
	ok(o->whole == REFUSE_TOO_MANY_EVENTS && o->n_rows == 0 && o->whole_offset == 30000, "10,001 are too many");
	release(s);
	s = repeat("[{}", DECODE_ERRORS_MAX + 50, ",1", "]");
	decode(s);
	ok(o->n_rows == 1 && o->n_refused == DECODE_ERRORS_MAX + 50, "all refused ones are counted");
	ok(o->errors[DECODE_ERRORS_MAX - 1].index == DECODE_ERRORS_MAX &&
	    o->errors[DECODE_ERRORS_MAX - 1].offset == 4 + 2 * (DECODE_ERRORS_MAX - 1) &&
	    slice_is(o->errors[DECODE_ERRORS_MAX - 1].raw, "1"), "the first of them are described");
	release(s);
	decode(SLICE("{}\n{\"a\n[ 5 ]\n{\"b\""));
	ok(o->n_refused == 3 && slice_is(o->errors[0].raw, "{\"a\n") && slice_is(o->errors[1].raw, "[ 5 ]") &&
	    slice_is(o->errors[2].raw, "{\"b\""), "with the line or the value");
	decode((struct slice){ "", 0 });
	ok(o->whole == REFUSE_EMPTY_BODY, "no body");
	decode((struct slice){ NULL, 0 });
	ok(o->whole == REFUSE_EMPTY_BODY, "none at all");
}

/* After every kind of end the next body is decoded as if it were the first. */
static void
test_reuse(void)
{
	static const char *const before[] = {
		"{\"a\":", "[{},{\"a\":tr", "{} 5", "{\"a\":1}{", "[[[[", "{\"a\":\"\\u12", "[{}] tru", "{}\n{\"", "5",
		"{}\n[1,2", "{\"a\":1}\n\"x\"\n{\"b", "{\"id\":\"", "\xEF\xBB\xBF", "[{}]", "{}\n{}", "[1]", "{\v}",
	};
	static const char *const after[] = { "{\"id\":\"x\"}", "[{\"id\":\"x\"}]", "{\"id\":\"x\"}\n5", "\n{\n\"id\":\"x\"}" };
	size_t i, k, wrong = 0;

	for (i = 0; i < ARRAY_SIZE(before); i++)
		for (k = 0; k < ARRAY_SIZE(after); k++) {
			decode(slice_str(before[i]));
			decode(slice_str(after[k]));
			wrong += o->n_rows != 1 || !slice_is(o->rows[0].id, "x") || o->whole != REFUSE_NONE;
		}
	is_int((long long)wrong, 0, "no body leaves anything behind");
}

/* Long bodies of one kind of byte, where something could grow without end or go on
 * for ever: they are done in a bounded time. */
static void
test_bombs(void)
{
	static const struct { const char *front, *text, *back; size_t n; enum refusal whole; } bombs[] = {
		{ "{\"a\":", "[", "", 4000000, REFUSE_TOO_DEEP },
		{ "", "{\"a\":", "", 800000, REFUSE_TOO_DEEP },
		{ "{\"a\":\"", "x", "", 4000000, REFUSE_INVALID_JSON },
		{ "{\"a\":\"", "\\n", "", 2000000, REFUSE_INVALID_JSON },
		{ "{\"", "\\u0041", "\":1}", 700000, REFUSE_NONE },
		{ "{\"a\":", "1", "", 4000000, REFUSE_INVALID_JSON },
		{ "{\"a\":1e", "9", "}", 4000000, REFUSE_NONE },
		{ "", "\n", "", 4000000, REFUSE_EMPTY_BODY },
		{ "{}", "\r\n", "", 2000000, REFUSE_NONE },
		{ "", "{\n", "", 2000000, REFUSE_TOO_MANY_EVENTS },
		{ "", "{}x\n", "", 1000000, REFUSE_TOO_MANY_EVENTS },
		{ "", "{\"a\":\n", "", 700000, REFUSE_TOO_DEEP },
		{ "{}\n", "{\"a\":[\n", "", 1000000, REFUSE_TOO_MANY_EVENTS },
		{ "[", "0,", "0]", 2000000, REFUSE_TOO_MANY_EVENTS },
		{ "{\"id\":\"", "\\\"", "\"}", 2000000, REFUSE_NONE },
		{ "", "{}\xEF\xBB\xBF", "", 1600000, REFUSE_TOO_MANY_EVENTS },
		{ "", "{\n}\xEF\xBB\xBF", "", 1300000, REFUSE_TOO_MANY_EVENTS },
		{ "", "{}\x1E", "", 2600000, REFUSE_TOO_MANY_EVENTS },
		{ "{\n", "}\x1E{", "}", 2600000, REFUSE_TOO_MANY_EVENTS },
		{ "\x1E", "{}\v\x1E", "", 2000000, REFUSE_TOO_MANY_EVENTS },
		{ "", "{}\v\n", "", 2000000, REFUSE_TOO_MANY_EVENTS },
		{ "", "{}\f\n", "", 2000000, REFUSE_TOO_MANY_EVENTS },
	};
	int64_t t, longest = 0;
	struct slice s;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bombs); i++) {
		s = repeat(bombs[i].front, bombs[i].n, bombs[i].text, bombs[i].back);
		t = clock_mono_ms();
		decode(s);
		t = clock_mono_ms() - t;
		if (t > longest)
			longest = t;
		ok(o->whole == bombs[i].whole && (o->whole != REFUSE_NONE || o->n_rows <= 1),
		    "bomb %zu: %zu MB", i, s.n / 1000000);
		release(s);
	}
	printf("# the slowest took %lld ms\n", (long long)longest);
	/* valgrind makes itself known so, and is no measure of time */
	if (getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "vgpreload"))
		ok(true, "none holds a worker up for long # SKIP valgrind");
	else
		ok(longest < 5000, "none holds a worker up for long");
}

static void
depth(unsigned n, bool storable)
{
	struct slice open = repeat("{\"a\":", n - 1, "[", ""), all;

	all = repeat(open.p, n - 1, "]", "}");
	decode(all);
	ok(o->n_rows == storable && o->n_refused == !storable, "%u levels", n);
	release(open);
	release(all);
}

/* Not enough memory is an answer, and the decoder goes on when there is some again. */
static void
test_memory(void)
{
#ifdef NO_RLIMIT
	ok(true, "out of memory # SKIP address sanitizer");
#else
	struct slice s = repeat("{\"a\":\"", 30 << 20, "x", "\"}");
	struct rlimit old, little;
	enum err e;

	getrlimit(RLIMIT_AS, &old);
	little = (struct rlimit){ 256 << 20, old.rlim_max };
	setrlimit(RLIMIT_AS, &little);
	e = decode_native(d, s, &req, &o);
	setrlimit(RLIMIT_AS, &old);
	is_int(e, ERR_NOMEM, "out of memory");
	ok(o->n_rows == 0, "and no rows");
	decode(SLICE("{\"id\":\"x\"}"));
	is_int((long long)o->n_rows, 1, "the next body is decoded");
	decode(s);
	ok(o->n_refused == 1 && o->errors[0].code == REFUSE_EVENT_TOO_LARGE, "and the large one, where there is memory");
	release(s);
#endif
}

int
main(void)
{
	uuid_source_init(&ids);
	req = (struct decode_request){
		.received_at = 1795218327000000, .key = SLICE(""), .context = SLICE("{}"), .ids = &ids,
	};
	if (decoder_new(&d, &limits) != ERR_OK)
		return 1;
	test_row();
	test_fingerprints();
	test_idempotency_key();
	test_counts();
	test_reuse();
	test_bombs();
	depth(64, true);
	depth(65, false);
	test_memory();
	decoder_free(&d);
	decoder_free(&d);
	ok(d == NULL, "freed, twice");
	return done();
}
