/* Wall time: what RFC 3339 writes, there and back, from year 1 to 9999, and epochs. */
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "tools/tap.h"

#define SEC	INT64_C(1000000)

static void
parses(const char *text, int64_t want)
{
	is_int(clock_parse(text, strlen(text)), want, text);
}

static void
test_forms(void)
{
	parses("1970-01-01T00:00:00Z", 0);
	parses("1970-01-01t00:00:00z", 0);
	parses("1970-01-01 00:00:00Z", 0);
	parses("2026-11-20T23:45:27Z", 1795218327 * SEC);
	parses("2026-11-20T23:45:27.5Z", 1795218327 * SEC + 500000);
	parses("2026-11-20T23:45:27.123456Z", 1795218327 * SEC + 123456);
	parses("2026-11-20T23:45:27.123456789Z", 1795218327 * SEC + 123456);
	parses("2026-11-21T00:45:27+01:00", 1795218327 * SEC);
	parses("2026-11-20T18:15:27-05:30", 1795218327 * SEC);
	parses("2026-11-20T23:45:27-00:00", 1795218327 * SEC);
	parses("2016-12-31T23:59:60Z", 1483228800 * SEC);
	parses("1969-12-31T23:59:59.999999Z", -1);
	parses("2024-02-29T00:00:00Z", 1709164800 * SEC);
	parses("2000-02-29T00:00:00Z", 951782400 * SEC);
	parses("0001-01-01T00:00:00Z", -62135596800 * SEC);
	parses("9999-12-31T23:59:59.999999Z", 253402300799 * SEC + 999999);
}

static void
test_zones(void)
{
	parses("2026-11-21T00:45:27+0100", 1795218327 * SEC);
	parses("2026-11-20T18:15:27.25-0530", 1795218327 * SEC + 250000);
	parses("2026-11-21T00:45:27+01", 1795218327 * SEC);
	parses("2026-11-20T23:45:27+0000", 1795218327 * SEC);
	parses("2026-11-20T23:45:27-00", 1795218327 * SEC);
}

static void
test_epochs(void)
{
	static const char *const bad[] = {
		"0", "1", "795218327", "0795218327", "17952183270", "179521832712", "20261120",
		"202611202345", "20261120234527", "20261120234527123", "-1795218327", "+1795218327",
		"1795218327.", "1795218327.5.5", "1795218327e0", "1.795218327e9", "1795218327Z",
		" 1795218327", "1795218327 ", "17952183271234567890", "0x6AFFFFFF12",
	};
	size_t i;

	parses("1795218327", 1795218327 * SEC);
	parses("1795218327.5", 1795218327 * SEC + 500000);
	parses("1795218327.1234567899", 1795218327 * SEC + 123456);
	parses("1795218327123", 1795218327 * SEC + 123000);
	parses("1795218327123.4567", 1795218327 * SEC + 123456);
	parses("1795218327123456", 1795218327 * SEC + 123456);
	parses("1795218327123456.9", 1795218327 * SEC + 123456);
	parses("1795218327123456789", 1795218327 * SEC + 123456);
	parses("1000000000", 1000000000 * SEC);
	parses("9999999999999999999", 9999999999 * SEC + 999999);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		parses(bad[i], CLOCK_UNSET);
}

static void
test_refused(void)
{
	static const char *const bad[] = {
		"", "2026", "2026-11-20", "2026-11-20T23:45Z", "2026-11-20T23:45:27",
		"2026-11-20T23:45:27.Z", "2026-11-20T23:45:27.1", "2026-11-20T23:45:27+1",
		"2026-11-20T23:45:27+100", "2026-11-20T23:45:27+24:00", "2026-11-20T23:45:27+24",
		"2026-11-20T23:45:27+0160", "2026-11-20T23:45:27+01-00", "2026-11-20T23:45:27+01:0",
		"2026-11-20T23:45:27 +0100", "2026-11-20T23:45:27+01:60",
		"2026-11-20T23:45:27ZZ", "2026-11-20T23:45:27Z ", " 2026-11-20T23:45:27Z",
		"2026-11-20X23:45:27Z", "2026/11/20T23:45:27Z", "2026-11-20T24:00:00Z",
		"2026-11-20T23:60:00Z", "2026-11-20T23:45:61Z", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z", "2025-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z", "2026-11-00T00:00:00Z", "0000-01-01T00:00:00Z",
		"-001-01-01T00:00:00Z", "+026-11-20T23:45:27Z", "2026-11-20T23:45:-1Z", "1795218327000000000000",
		"2026-11-20T23:45:27.1+1:00", "2026-11-20T23:45:27,5Z", "now", "infinity",
		"2026-11-20T23:45:27.0000000000000000000000000000000000000000000000000Z",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		parses(bad[i], CLOCK_UNSET);
}

/* Every day of the calendar, at its first and last moment. */
static void
test_all_days(void)
{
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t day = clock_days_from_civil(1, 1, 1), us;
	char text[CLOCK_TEXT], want[80];
	unsigned y, m, d, last, wrong = 0;

	for (y = 1; y <= 9999; y++)
		for (m = 1; m <= 12; m++) {
			last = (unsigned)length[m - 1] +
			    (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
			for (d = 1; d <= last; d++, day++) {
				if (clock_days_from_civil(y, m, d) != day)
					wrong++;
				if (d != 1 && d != last)	/* the slow part, twice a month */
					continue;
				snprintf(want, sizeof want, "%04u-%02u-%02u", y, m, d);
				wrong += strcmp(clock_day_text(day, text), want) != 0;
				snprintf(want, sizeof want, "%04u-%02u-%02uT23:59:59.999999Z", y, m, d);
				us = clock_parse(want, strlen(want));
				wrong += us != (day + 1) * US_PER_DAY - 1 || clock_day(us) != day ||
				    clock_day(us + 1) != day + 1;
				want[10] = ' ';
				want[strlen(want) - 1] = '\0';
				wrong += strcmp(clock_text(us, text), want) != 0;
			}
		}
	is_int(wrong, 0, "all days from 0001-01-01 to 9999-12-31");
	is_int(day, clock_days_from_civil(10000, 1, 1), "and there are so many");
}

static void
test_edges(void)
{
	char text[CLOCK_TEXT];

	is_int(clock_day(-1), -1, "the day before 1970 began");
	is_int(clock_day(0), 0, "1970 begins");
	is_str(clock_text(-1, text), "1969-12-31 23:59:59.999999", "a moment before 1970");
	is_str(clock_text(CLOCK_UNSET, text), "?", "unset has no text");
	is_str(clock_text(INT64_MAX, text), "?", "nor has what no calendar holds");
}

static void
test_clocks(void)
{
	int64_t m = clock_mono_us(), w = clock_us();

	ok(w > INT64_C(1600000000) * SEC && clock_us() - w < 60 * SEC, "the wall clock is set");
	ok(clock_mono_us() >= m && clock_mono_ms() >= m / 1000, "the monotonic one does not step back");
}

int
main(void)
{
	test_forms();
	test_zones();
	test_epochs();
	test_refused();
	test_all_days();
	test_edges();
	test_clocks();
	return done();
}
