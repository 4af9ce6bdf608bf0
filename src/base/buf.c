#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

char *
buf_room(struct buf *b, size_t n)
{
	size_t cap;
	char *p;

	if (b->failed)
		return NULL;
	if (n > b->max - b->n) {
		b->failed = true;
		return NULL;
	}
	if (b->cap - b->n < n) {
		cap = b->cap < 256 ? 256 : b->cap;
		while (cap - b->n < n)
			cap *= 2;
		if (cap > b->max)
			cap = b->max;
		p = realloc(b->p, cap);
		if (!p) {
			b->failed = true;
			return NULL;
		}
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->n;
}

void
buf_put(struct buf *b, const void *src, size_t n)
{
	char *p = buf_room(b, n);

	if (p && n > 0) {
		memcpy(p, src, n);
		b->n += n;
	}
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->failed ? 0 : b->cap - b->n;
	va_list again;
	int n;
	char *p;

	va_copy(again, ap);
	n = vsnprintf(room > 0 ? b->p + b->n : NULL, room, fmt, ap);
	CHECK(n >= 0);
	if ((size_t)n >= room && (p = buf_room(b, (size_t)n + 1)))
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	if (!b->failed)
		b->n += (size_t)n;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

size_t
utf8_char(const unsigned char *p, size_t n)
{
	unsigned lo = 0x80, hi = 0xBF;
	size_t len, i;

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (n < len)
		return 0;
	/* RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF */
	if (p[0] == 0xE0)
		lo = 0xA0;
	else if (p[0] == 0xED)
		hi = 0x9F;
	else if (p[0] == 0xF0)
		lo = 0x90;
	else if (p[0] == 0xF4)
		hi = 0x8F;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xBF)
			return 0;
	return len;
}

bool
utf8_all(const char *s)
{
	size_t n = strlen(s), len = 1;

	for (; n > 0 && len > 0; n -= len, s += len)
		len = utf8_char((const unsigned char *)s, n);
	return len > 0;
}

/* How many bytes from the first on stand for themselves in a JSON string. */
static size_t
plain(const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= 0x20 && p[i] < 0x7F && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

void
buf_json(struct buf *b, struct slice s, size_t most)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, len, end = s.n < most ? s.n : most;

	buf_put(b, "\"", 1);
	while (i < end) {
		len = plain(p + i, end - i);
		buf_put(b, p + i, len);
		i += len;
		if (i == end)
			break;
		len = utf8_char(p + i, s.n - i);
		if (len > end - i)
			break;
		if (len == 0 || p[i] == 0)
			buf_puts(b, "\xEF\xBF\xBD");
		else if (p[i] == '"' || p[i] == '\\')
			buf_printf(b, "\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] == 0x7F)
			buf_printf(b, "\\u%04x", p[i]);
		else
			buf_put(b, p + i, len);
		i += len ? len : 1;
	}
	buf_put(b, "\"", 1);
}
