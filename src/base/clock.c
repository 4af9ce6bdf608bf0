#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

int64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_day(int64_t us)
{
	return us / US_PER_DAY - (us % US_PER_DAY < 0);
}

int64_t
clock_days_from_civil(int64_t y, unsigned m, unsigned d)
{
	int64_t era, doe;
	unsigned yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	doe = (int64_t)yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

/* Date and, unless `day`, time; "?" for what has no year of four digits. strftime's
 * %Y does not fill up with zeros. */
static size_t
text(int64_t sec, bool day, char out[CLOCK_TEXT])
{
	time_t t = (time_t)sec;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year < 1 - 1900 || tm.tm_year > 9999 - 1900) {
		snprintf(out, CLOCK_TEXT, "?");
		return 0;
	}
	snprintf(out, CLOCK_TEXT, "%04u", (unsigned)(tm.tm_year + 1900) % 10000);
	if (day)
		return 4 + strftime(out + 4, CLOCK_TEXT - 4, "-%m-%d", &tm);
	return 4 + strftime(out + 4, CLOCK_TEXT - 4, "-%m-%d %H:%M:%S", &tm);
}

const char *
clock_text(int64_t us, char out[CLOCK_TEXT])
{
	int64_t sec = us / 1000000 - (us % 1000000 < 0);
	size_t n = text(sec, false, out);

	if (n > 0)
		snprintf(out + n, CLOCK_TEXT - n, ".%06d", (int)(us - sec * 1000000));
	return out;
}

const char *
clock_day_text(int64_t day, char out[CLOCK_TEXT])
{
	text(day * 86400, true, out);
	return out;
}

/* n digits at p, or -1 */
static int
digits(const char *p, size_t n)
{
	int v = 0;

	for (; n > 0; n--, p++) {
		if (*p < '0' || *p > '9')
			return -1;
		v = v * 10 + (*p - '0');
	}
	return v;
}

static bool
valid_civil(int y, int mo, int d, int h, int mi, int s)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return y >= 1 && mo >= 1 && mo <= 12 && d >= 1 &&
	    d <= days[mo - 1] + (mo == 2 && leap) &&
	    h >= 0 && h <= 23 && mi >= 0 && mi <= 59 && s >= 0 && s <= 60;
}

/* "Z", "+01", "+0100" or "+01:00" as what lies between UTC and it, in minutes; INT_MIN: none. */
static int
zone(const char *p, size_t n)
{
	int h, m = 0;

	if (n == 1 && (p[0] == 'Z' || p[0] == 'z'))
		return 0;
	if ((n != 3 && n != 5 && n != 6) || (p[0] != '+' && p[0] != '-') || (n == 6 && p[3] != ':'))
		return INT_MIN;
	h = digits(p + 1, 2);
	if (n > 3)
		m = digits(p + n - 2, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59)
		return INT_MIN;
	return (p[0] == '-' ? -1 : 1) * (h * 60 + m);
}

static int64_t
parse_civil(const char *p, size_t n)
{
	int y, mo, d, h, mi, s, minutes;
	int64_t us = 0, scale = 100000;
	size_t i = 19;

	if (n < 20 || p[4] != '-' || p[7] != '-' || p[13] != ':' || p[16] != ':' ||
	    (p[10] != 'T' && p[10] != 't' && p[10] != ' '))
		return CLOCK_UNSET;
	y = digits(p, 4); mo = digits(p + 5, 2); d = digits(p + 8, 2);
	h = digits(p + 11, 2); mi = digits(p + 14, 2); s = digits(p + 17, 2);
	if (!valid_civil(y, mo, d, h, mi, s))
		return CLOCK_UNSET;
	if (p[i] == '.') {
		if (++i >= n || digits(p + i, 1) < 0)
			return CLOCK_UNSET;
		for (; i < n && digits(p + i, 1) >= 0; i++, scale /= 10)
			us += scale * (p[i] - '0');
	}
	us += (clock_days_from_civil(y, (unsigned)mo, (unsigned)d) * 86400 +
	    h * 3600 + mi * 60 + s) * INT64_C(1000000);
	minutes = zone(p + i, n - i);
	return minutes == INT_MIN ? CLOCK_UNSET : us - minutes * INT64_C(60000000);
}

/* How many digits stand before the point says the unit; the first 16 of all are microseconds. */
static int64_t
parse_epoch(const char *p, size_t n)
{
	size_t whole, i, used = 0;
	int64_t us = 0;

	for (whole = 0; whole < n && digits(p + whole, 1) >= 0; whole++)
		;
	if ((whole != 10 && whole != 13 && whole != 16 && whole != 19) || p[0] == '0')
		return CLOCK_UNSET;
	if (whole < n && (p[whole] != '.' || whole + 1 == n))
		return CLOCK_UNSET;
	for (i = 0; i < n; i++) {
		if (i == whole)
			continue;
		if (digits(p + i, 1) < 0)
			return CLOCK_UNSET;
		if (used++ < 16)
			us = us * 10 + (p[i] - '0');
	}
	for (; used < 16; used++)
		us *= 10;
	return us;
}

int64_t
clock_parse(const char *p, size_t n)
{
	if (n > 64)
		return CLOCK_UNSET;
	return n > 4 && p[4] == '-' ? parse_civil(p, n) : parse_epoch(p, n);
}
