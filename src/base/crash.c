/* Compiled into the tests' programs only. */
#include "base/crash.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void crash_point(const char *name);

void
crash_point(const char *name)
{
	static unsigned long passed;
	const char *at = getenv("FOREBAY_CRASH_AT");
	size_t n = strlen(name);

	if (!at || strncmp(at, name, n) != 0 || (at[n] != '\0' && at[n] != ':'))
		return;
	if (__atomic_add_fetch(&passed, 1, __ATOMIC_RELAXED) < (at[n] ? strtoul(at + n + 1, NULL, 10) : 1))
		return;
	kill(getpid(), SIGKILL);
	pause();
}
