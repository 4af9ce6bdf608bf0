/*
 * Two clocks: wall time in microseconds since 1970 UTC for what is stored, and
 * monotonic milliseconds for every interval and deadline. Never mix them.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_UNSET	INT64_MIN
#define CLOCK_TEXT	32
#define US_PER_DAY	INT64_C(86400000000)

int64_t clock_us(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* "2026-11-20 23:45:27.000000", UTC, in the caller's CLOCK_TEXT bytes; returns out. */
const char *clock_text(int64_t us, char out[CLOCK_TEXT]);
/* "2026-11-20", UTC, of a day number since 1970. */
const char *clock_day_text(int64_t day, char out[CLOCK_TEXT]);
int64_t clock_day(int64_t us);		/* day number since 1970, rounding down */

/* Days since 1970-01-01 of a Gregorian date (Howard Hinnant, days_from_civil). */
int64_t clock_days_from_civil(int64_t y, unsigned m, unsigned d);

/*
 * A moment in one of the forms that are not ambiguous, as microseconds since 1970 UTC, else
 * CLOCK_UNSET:
 *
 *	RFC 3339 with its zone ("2026-11-20T23:45:27.123Z", "+01:00"). A space or 't' for
 *	the T is taken, and the zone as ISO 8601 also has it ("+0100", "+01"). Digits past
 *	microseconds are dropped, second 60 is the next minute's 0.
 *
 *	The time since 1970, from 2001-09-09 to 2286-11-20: 10 digits of seconds, 13 of
 *	milliseconds, 16 of microseconds, 19 of nanoseconds, with a fraction or without.
 *	Other lengths may be dates (20261120), durations, or clocks that are not set.
 */
int64_t clock_parse(const char *p, size_t n);

#endif
