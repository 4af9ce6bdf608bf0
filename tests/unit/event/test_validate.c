/* Storability (INV-5): text and numbers against a judge that works another way. */
#include <stdlib.h>

#include "event/validate.h"
#include "tools/naive_json.h"
#include "tools/tap.h"

static void
test_text(void)
{
	static const char *const pieces[] = {
		"a", "abcdefgh", "0123456789012345678901234567890123456789", "\xC3\xA9", "\xE2\x82\xAC",
		"\xF0\x9F\x98\x80", "\xC3", "\x80", "\xED\xA0\x80", "\xFF", "\\\\", "\\\"", "\\n", "\\/",
		"\\u0041", "\\u0000", "\\ud83d", "\\ude00", "\\uD83D\\uDE00", "\\ud83d\\u0041", "\\udbff\\udfff", "\\ue000",
	};
	size_t i, k, n, at, wrong = 0, stored = 0;
	enum refusal r;
	char s[600];
	struct naive v;

	printf("# seed 2\n");
	srandom(2);
	for (i = 0; i < 300000; i++) {
		n = 0;
		s[n++] = '"';
		for (k = (size_t)random() % 8; k > 0; k--)
			n += (size_t)snprintf(s + n, sizeof s - n, "%s",
			    pieces[(size_t)random() % (random() % 4 ? 6 : ARRAY_SIZE(pieces))]);
		s[n++] = '"';
		v = naive_judge(s, n, 1);
		r = validate_text((struct slice){ s, n }, &at);
		wrong += v.bad_grammar || (r == REFUSE_NONE) != naive_storable(v) ||
		    (r == REFUSE_INVALID_UTF8) != v.bad_utf8 || (r != REFUSE_NONE && at >= n);
		stored += r == REFUSE_NONE;
	}
	is_int((long long)wrong, 0, "300,000 random strings");
	ok(stored > 10000 && stored < 290000, "good and bad ones (%zu good)", stored);
}

/* A bad byte is found wherever the words of the fast scan begin. */
static void
test_places(void)
{
	char s[200];
	size_t begin, at, n, wrong = 0;

	for (begin = 0; begin < 9; begin++)
		for (n = 1; n < 150; n++) {
			memset(s, 'x', sizeof s);
			s[begin + n - 1] = '\xFF';
			wrong += validate_text((struct slice){ s + begin, n }, &at) != REFUSE_INVALID_UTF8 || at != n - 1;
			s[begin + n - 1] = 'x';
			s[begin + n] = '\xFF';		/* beyond the end */
			wrong += validate_text((struct slice){ s + begin, n }, &at) != REFUSE_NONE;
		}
	is_int((long long)wrong, 0, "at every place of every length");
}

static void
test_numbers(void)
{
	static const struct { const char *text; bool good; } numbers[] = {
		{ "0", true }, { "-0", true }, { "1e308", true }, { "1e309", false }, { "-1e-308", true },
		{ "1e-309", false }, { "0.1e309", true }, { "10e308", false }, { "0e309", false }, { "0e-309", false },
		{ "0.00e-306", true }, { "0.00e-307", false }, { "1e18446744073709551617", false },
		{ "1e-18446744073709551617", false }, { "1234567890123456789012345678901234567890", true },
		{ "12345678901234567890123456789012345678901", false },
		{ "0.001234567890123456789012345678901234567890", true }, { "1e00000000000000000000000000000000001", true },
	};
	char s[2000], zeros[1200];
	size_t i, n, wrong = 0;
	long k;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		ok(validate_number(slice_str(numbers[i].text)) == numbers[i].good, "%s%s",
		    numbers[i].good ? "" : "refused: ", numbers[i].text);
	printf("# seed 3\n");
	srandom(3);
	memset(zeros, '0', sizeof zeros);
	for (i = 0; i < 300000; i++) {
		n = (size_t)snprintf(s, sizeof s, "%s%ld", random() % 2 ? "-" : "", random() % 3 ? random() % 2000 : 0);
		if (random() % 2)
			n += (size_t)snprintf(s + n, sizeof s - n, ".%.*s%ld", (int)(random() % (random() % 8 ? 50 : 700)),
			    zeros, random() % 3 ? random() : 0);
		k = random() % 700 - 350;
		if (random() % 2)
			n += (size_t)snprintf(s + n, sizeof s - n, "%c%+ld", random() % 2 ? 'e' : 'E',
			    random() % 16 ? k : k * 1000003);
		wrong += validate_number((struct slice){ s, n }) != naive_storable(naive_judge(s, n, 1));
	}
	is_int((long long)wrong, 0, "300,000 random numbers");
}

int
main(void)
{
	test_text();
	test_places();
	test_numbers();
	return done();
}
