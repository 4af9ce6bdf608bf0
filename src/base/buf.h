/*
 * slice: borrowed bytes with their length. buf: a growing byte buffer with a cap.
 * A buf that could not grow is `failed` and ignores every later call, so that a
 * caller writes everything and checks once at the end. Not for sharing between
 * threads.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"

struct slice {
	const char *p;		/* NULL: absent, which differs from empty */
	size_t n;
};

#define SLICE(lit)	((struct slice){ (lit), sizeof(lit) - 1 })

static inline struct slice
slice_str(const char *s)
{
	return (struct slice){ s, s ? strlen(s) : 0 };
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool
slice_is(struct slice a, const char *lit)
{
	return slice_eq(a, slice_str(lit));
}

/* The same for protocol tokens (RFC 9110: codings, schemes, types), in any case. */
static inline bool
slice_is_token(struct slice a, const char *lit)
{
	return a.n == strlen(lit) && (a.n == 0 || strncasecmp(a.p, lit, a.n) == 0);
}

struct buf {
	char *p;		/* owned; NULL until the first write */
	size_t n, cap, max;
	bool failed;		/* out of memory, or over max */
};

/* Caller's storage; holds at most `max` bytes. */
void buf_init(struct buf *, size_t max);
void buf_fini(struct buf *);		/* frees; the buf is as after init */
void buf_reset(struct buf *);		/* empties and forgives; keeps the memory */

/* Makes room for n more bytes and returns where they go, or NULL. The caller
 * writes there and adds to ->n itself. */
char *buf_room(struct buf *, size_t n);
void buf_put(struct buf *, const void *, size_t);
void buf_puts(struct buf *, const char *);
void buf_printf(struct buf *, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *, const char *fmt, va_list) PRINTF(2, 0);

/* Appends the bytes as a JSON string with its quotes. Control characters are
 * escaped, NUL and bytes that are not UTF-8 become U+FFFD: the result is always
 * a string that jsonb takes. At most `most` bytes of input are used, cut at a
 * character's start. */
void buf_json(struct buf *, struct slice, size_t most);

/* Length of the well-formed UTF-8 character (RFC 3629) at p, 1 to 4, or 0. */
size_t utf8_char(const unsigned char *p, size_t n);
/* Is all of it made of such characters? */
bool utf8_all(const char *);

static inline struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){ b->p, b->n };
}

#endif
