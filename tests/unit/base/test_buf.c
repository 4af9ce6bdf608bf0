/* buf: growth, the cap, sticky failure, JSON strings; UTF-8 against RFC 3629. */
#include "base/buf.h"
#include "tools/tap.h"

static void
test_growth(void)
{
	struct buf b;
	char *p;
	int i;

	buf_init(&b, 10000);
	for (i = 0; i < 1000; i++)
		buf_printf(&b, "%03d,", i);
	is_int((long long)b.n, 4000, "what was printed is there");
	ok(memcmp(b.p, "000,001,", 8) == 0 && memcmp(b.p + 3996, "999,", 4) == 0, "in order");
	p = b.p;
	buf_reset(&b);
	ok(b.n == 0 && b.p == p, "reset empties and keeps the memory");
	buf_put(&b, NULL, 0);
	ok(!b.failed && b.n == 0, "nothing can be put");
	buf_fini(&b);
	ok(!b.p && b.max == 10000, "fini leaves it as after init");
}

static void
test_cap(void)
{
	struct buf b;

	buf_init(&b, 300);
	ok(buf_room(&b, 300) != NULL, "all of max is there");
	buf_put(&b, "abc", 3);
	ok(buf_room(&b, 298) == NULL && b.failed, "one more is not");
	buf_puts(&b, "x");
	ok(b.n == 3, "a failed buf ignores what comes");
	buf_reset(&b);
	buf_puts(&b, "x");
	ok(b.n == 1 && !b.failed, "reset forgives");
	ok(buf_room(&b, SIZE_MAX) == NULL, "a size that would wrap is refused");
	buf_fini(&b);
	buf_init(&b, 4);
	buf_printf(&b, "%s", "abcd");
	ok(b.failed, "printf needs one byte more than it leaves");
	buf_fini(&b);
}

static void
json(const char *in, size_t n, size_t most, const char *want, const char *what)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_json(&b, (struct slice){ in, n }, most);
	buf_put(&b, "", 1);
	is_str(b.p, want, what);
	buf_fini(&b);
}

static void
test_json(void)
{
	json("a\"b\\c", 5, 99, "\"a\\\"b\\\\c\"", "quotes and backslashes");
	json("\n\x1f\x7f", 3, 99, "\"\\u000a\\u001f\\u007f\"", "control characters");
	json("a\0b", 3, 99, "\"a\xEF\xBF\xBD" "b\"", "NUL becomes U+FFFD");
	json("\xff\xc3\xa9\xc3", 4, 99, "\"\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\"", "so does what is not UTF-8");
	json("\xed\xa0\x80", 3, 99, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"", "and a surrogate");
	json("ab\xc3\xa9", 4, 3, "\"ab\"", "the cut is at a character's start");
	json("abcd", 4, 0, "\"\"", "nothing of it");
	json(NULL, 0, 9, "\"\"", "absent is an empty string");
}

/* Decodes and encodes again, as another way to say what is well-formed. */
static size_t
naive_utf8(const unsigned char *p, size_t n)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
	unsigned u = len == 1 ? p[0] : len ? p[0] & (0x7Fu >> len) : 0;
	size_t i;

	if (len == 0 || len > n)
		return 0;
	for (i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		u = u << 6 | (p[i] & 0x3F);
	}
	return u < least[len] || u > 0x10FFFF || (u >= 0xD800 && u <= 0xDFFF) ? 0 : len;
}

static void
test_utf8(void)
{
	static const unsigned char more[] = { 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0 };
	unsigned char p[4];
	unsigned a, b, c, d, wrong = 0;
	size_t n;

	for (a = 0; a < 256; a++)
		for (b = 0; b < 256; b++)
			for (c = 0; c < sizeof more; c++)
				for (d = 0; d < sizeof more; d++)
					for (n = 1; n <= 4; n++) {
						p[0] = (unsigned char)a, p[1] = (unsigned char)b;
						p[2] = more[c], p[3] = more[d];
						wrong += utf8_char(p, n) != naive_utf8(p, n);
					}
	is_int(wrong, 0, "every first two bytes, with third and fourth at the edges");
	ok(utf8_char(p, 0) == 0, "nothing is no character");
	ok(utf8_all("") && utf8_all("caf\303\251") && !utf8_all("caf\351") && !utf8_all("caf\303"),
	    "a whole text, to its end");
}

static void
test_slice(void)
{
	ok(slice_eq(SLICE("ab"), slice_str("ab")) && !slice_eq(SLICE("ab"), SLICE("ac")) &&
	    !slice_eq(SLICE("ab"), SLICE("abc")), "slices compare by their bytes");
	ok(slice_str(NULL).p == NULL && slice_is(SLICE(""), ""), "absent and empty");
}

int
main(void)
{
	test_growth();
	test_cap();
	test_json();
	test_utf8();
	test_slice();
	return done();
}
