/*
 * Named crash points, for tests: FOREBAY_CRASH_AT=name or name:n kills the process by
 * SIGKILL when it passes that point (for the n-th time). They are there only in
 * programs compiled with -DCRASH_POINTS, which are never installed; else the macro is
 * empty. Names are listed in tests/fault/crash-points.t.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#ifdef CRASH_POINTS
void crash_point(const char *name);
#define CRASH_POINT(name)	crash_point(name)
#else
#define CRASH_POINT(name)	((void)0)
#endif

#endif
