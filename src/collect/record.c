#include "collect/record.h"

#include <stdbool.h>

enum { BEGIN_REQUEST = 1, PARAMS = 4, STDIN = 5 };
#define HEADER		8
#define RESPONDER	1

struct record {
	unsigned type, id;
	size_t length, size;	/* of the content; with header and padding */
	const uint8_t *content;
};

/* The record at p. Its content may not have arrived in full. */
static bool
read_header(const uint8_t *p, size_t n, struct record *r)
{
	if (n < HEADER)
		return false;
	r->type = p[1];
	r->id = (unsigned)p[2] << 8 | p[3];
	r->length = (size_t)p[4] << 8 | p[5];
	r->size = HEADER + r->length + p[6];
	r->content = p + HEADER;
	return true;
}

static bool
read_length(const uint8_t **p, const uint8_t *end, uint32_t *out)
{
	if (*p == end)
		return false;
	if (**p < 0x80) {
		*out = *(*p)++;
		return true;
	}
	if (end - *p < 4)
		return false;
	*out = (uint32_t)((*p)[0] & 0x7F) << 24 | (uint32_t)(*p)[1] << 16 |
	    (uint32_t)(*p)[2] << 8 | (*p)[3];
	*p += 4;
	return true;
}

/* Name-value pairs end where their record ends; nginx never splits one. */
static bool
pairs_are_good(const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n;
	uint32_t name, value;

	while (p < end) {
		if (!read_length(&p, end, &name) || !read_length(&p, end, &value) ||
		    (size_t)(end - p) < (size_t)name + value)
			return false;
		p += (size_t)name + value;
	}
	return true;
}

static bool
begin_is_good(const struct record *r)
{
	return r->type == BEGIN_REQUEST && r->length == 8 && r->id != 0 &&
	    r->content[0] == 0 && r->content[1] == RESPONDER;
}

enum record_scan
record_scan(const uint8_t *p, size_t n)
{
	enum record_scan more = n < RECORD_WINDOW ? RECORD_PARTIAL : RECORD_BAD;
	const uint8_t *end = p + n;
	unsigned expect = BEGIN_REQUEST, id = 0;
	struct record r;

	while (read_header(p, (size_t)(end - p), &r)) {
		if (p[0] != 1 || r.type != expect || (id != 0 && r.id != id))
			return RECORD_BAD;
		if (expect == STDIN && n == RECORD_WINDOW)
			more = RECORD_LARGE;
		if ((size_t)(end - p) < r.size)
			return more;
		if (r.type == BEGIN_REQUEST && !begin_is_good(&r))
			return RECORD_BAD;
		if (r.type == PARAMS && !pairs_are_good(r.content, r.length))
			return RECORD_BAD;
		id = r.id;
		p += r.size;
		if (r.type == BEGIN_REQUEST)
			expect = PARAMS;
		else if (r.type == PARAMS && r.length == 0)
			expect = STDIN;
		else if (r.type == STDIN && r.length == 0)
			return p == end ? RECORD_WHOLE : RECORD_BAD;
	}
	return expect == STDIN && n == RECORD_WINDOW ? RECORD_LARGE : more;
}
