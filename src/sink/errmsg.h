/*
 * Where functions that a command calls leave what they have to say about an error: one
 * text in the caller's array.
 */
#ifndef SINK_ERRMSG_H
#define SINK_ERRMSG_H

#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"

#define ERRMSG	1024

/* Keeps the text and returns e. */
static inline enum err errmsg_set(char errmsg[ERRMSG], enum err e, const char *fmt, ...) PRINTF(3, 4);

static inline enum err
errmsg_set(char errmsg[ERRMSG], enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(errmsg, ERRMSG, fmt, ap);
	va_end(ap);
	return e;
}

#endif
