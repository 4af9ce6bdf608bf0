/* Version 7 ids: form, order, no two alike; text there and back. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/check.h"
#include "base/uuid.h"
#include "tools/tap.h"

#define N	200000

static int
by_random_part(const void *a, const void *b)
{
	return memcmp(((const struct uuid *)a)->b + 8, ((const struct uuid *)b)->b + 8, 8);
}

static void
test_order(void)
{
	static struct uuid_source s;
	struct uuid *u = calloc(N, sizeof *u);
	int64_t now = 1795218327123456;
	size_t i, form = 0, order = 0, same = 0;

	CHECK(u);
	uuid_source_init(&s);
	for (i = 0; i < N; i++) {
		if (i == N / 2)
			now -= 3600 * INT64_C(1000000);	/* the clock steps back */
		else if (i % 3 == 0)
			now++;
		u[i] = uuid_v7(&s, now);
		form += u[i].b[6] >> 4 == 7 && u[i].b[8] >> 6 == 2;
		order += i > 0 && memcmp(u[i - 1].b, u[i].b, 16) < 0;
	}
	is_int((long long)form, N, "version and variant are in place");
	is_int((long long)order, N - 1, "each is greater than the one before");
	qsort(u, N, sizeof *u, by_random_part);
	for (i = 1; i < N; i++)
		same += by_random_part(&u[i - 1], &u[i]) == 0;
	is_int((long long)same, 0, "the random parts differ");
	free(u);
}

static void
test_time(void)
{
	static struct uuid_source s;
	struct uuid u;
	uint64_t ms = 0;
	int i;

	uuid_source_init(&s);
	u = uuid_v7(&s, 1795218327123500);
	for (i = 0; i < 6; i++)
		ms = ms << 8 | u.b[i];
	is_int((long long)ms, 1795218327123, "the first 48 bits are milliseconds since 1970");
	is_int((u.b[6] & 15) << 8 | u.b[7], 2048, "the next 12 are the fraction of one");
}

static void
test_sources(void)
{
	static struct uuid_source a, b;
	struct uuid u, v;

	uuid_source_init(&a);
	uuid_source_init(&b);
	u = uuid_v7(&a, 1);
	v = uuid_v7(&b, 1);
	ok(memcmp(u.b, v.b, 8) == 0 && memcmp(u.b + 8, v.b + 8, 8) != 0,
	    "two sources at one moment draw different ids");
}

static void
test_text(void)
{
	static const char *const bad[] = {
		"", "0193", "01934b1e-0000-7000-8000-00000000000", "01934b1e-0000-7000-8000-0000000000000",
		"01934b1e00007000800000000000000000000", "01934b1e-0000-7000-8000-00000000000g",
		"01934b1e-0000-7000-8000+000000000000", "01934b1-e0000-7000-8000-000000000000",
		"{1934b1e-0000-7000-8000-00000000000}",
	};
	const char *text = "01934b1e-89ab-7cde-8f01-23456789abcd";
	char out[UUID_TEXT];
	struct uuid u, v;
	size_t i;

	ok(uuid_parse(text, 36, &u), "a uuid is parsed");
	is_str(uuid_text(u, out), text, "and printed as it was");
	ok(uuid_parse("01934B1E-89AB-7CDE-8F01-23456789ABCD", 36, &v) && memcmp(&u, &v, 16) == 0,
	    "upper case means the same");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ok(!uuid_parse(bad[i], strlen(bad[i]), &u), "refused: \"%s\"", bad[i]);
}

int
main(void)
{
	test_order();
	test_time();
	test_sources();
	test_text();
	return done();
}
