#include "journal/receipt.h"

/* Digits up to `end`, at least 1 and below 2^62. */
static bool
number(const char **p, const char *end, int64_t *out)
{
	const char *from = *p;
	int64_t v = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && v < INT64_MAX / 20; (*p)++)
		v = v * 10 + (**p - '0');
	*out = v;
	return *p > from && v > 0;
}

bool
receipt_parse(const char *text, size_t n, struct receipt *r)
{
	const char *p = text + UUID_TEXT, *end = text + n;

	if (n < UUID_TEXT + 1 || text[UUID_TEXT - 1] != ':' ||
	    !uuid_parse(text, UUID_TEXT - 1, &r->segment) || !number(&p, end, &r->first))
		return false;
	r->last = r->first;
	if (p < end && *p == '-') {
		p++;
		if (!number(&p, end, &r->last))
			return false;
	}
	return p == end && r->last >= r->first;
}
