/* The whole test framework: TAP (testanything.org) from C. */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_n, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static bool
ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_n);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	tap_failed += !good;
	return good;
}

__attribute__((unused)) static bool
is_int(long long got, long long want, const char *what)
{
	if (ok(got == want, "%s", what))
		return true;
	printf("# got %lld, expected %lld\n", got, want);
	return false;
}

__attribute__((unused)) static bool
is_str(const char *got, const char *want, const char *what)
{
	if (ok(got && strcmp(got, want) == 0, "%s", what))
		return true;
	printf("# got      \"%s\"\n# expected \"%s\"\n", got ? got : "(null)", want);
	return false;
}

__attribute__((unused)) static int
done(void)
{
	printf("1..%d\n", tap_n);
	return tap_failed != 0;
}

#endif
