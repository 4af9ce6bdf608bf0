#include "event/attribute.h"

#include "event/row.h"
#include "event/validate.h"

/* Asked for every member of every event: lengths first, no loop over names. */
enum attribute
attribute_of(const char *key, size_t n)
{
	switch (n) {
	case 2:
		return memcmp(key, "id", 2) == 0 ? ATTR_ID : ATTR_COUNT;
	case 4:
		return memcmp(key, "type", 4) == 0 ? ATTR_TYPE :
		    memcmp(key, "time", 4) == 0 ? ATTR_TIME : ATTR_COUNT;
	case 6:
		return memcmp(key, "source", 6) == 0 ? ATTR_SOURCE : ATTR_COUNT;
	case 7:
		return memcmp(key, "subject", 7) == 0 ? ATTR_SUBJECT : ATTR_COUNT;
	default:
		return ATTR_COUNT;
	}
}

static size_t
put_utf8(char *o, unsigned u)
{
	static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	size_t n = u < 0x80 ? 1 : u < 0x800 ? 2 : u < 0x10000 ? 3 : 4, i;

	if (n == 1) {
		o[0] = (char)u;
		return 1;
	}
	for (i = n - 1; i > 0; i--, u >>= 6)
		o[i] = (char)(0x80 | (u & 0x3F));
	o[0] = (char)(lead[n] | u);
	return n;
}

/* Decodes the escape at p (its backslash) to o; returns how long it is. */
static size_t
decode_escape(const char *p, char *o, size_t *put)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *c;
	unsigned u;

	*put = 1;
	if (p[1] != 'u') {
		c = strchr(from, p[1]);
		*o = c ? to[c - from] : p[1];
		return 2;
	}
	u = validate_hex4(p + 2);
	if (u < 0xD800 || u > 0xDFFF) {
		*put = put_utf8(o, u);
		return 6;
	}
	*put = put_utf8(o, 0x10000 + ((u - 0xD800) << 10) + (validate_hex4(p + 8) - 0xDC00));
	return 12;
}

static void
decode_string(struct slice s, struct buf *text, struct slice *out)
{
	char *o = buf_room(text, s.n);
	size_t i, put;

	CHECK(o);
	*out = (struct slice){ o, 0 };
	for (i = 0; i < s.n;) {
		if (s.p[i] == '\\') {
			i += decode_escape(s.p + i, o, &put);
			o += put;
		} else {
			*o++ = s.p[i++];
		}
	}
	out->n = (size_t)(o - out->p);
	text->n += out->n;
}

/* s begins right after the opening quote. */
static enum refusal
string_value(struct slice s, struct buf *text, struct slice *out)
{
	size_t most = 6 * ATTRIBUTE_MAX, i;	/* \u0041 is one byte */
	const char *end = memchr(s.p, '"', s.n);
	bool escapes = end && memchr(s.p, '\\', (size_t)(end - s.p));

	i = end ? (size_t)(end - s.p) : s.n;
	if (escapes)
		for (i = 0; i <= most && s.p[i] != '"'; i++)
			i += s.p[i] == '\\';
	if (i > most || (!escapes && i > ATTRIBUTE_MAX))
		return REFUSE_ATTRIBUTE_TOO_LONG;
	*out = (struct slice){ s.p, i };
	if (escapes)
		decode_string(*out, text, out);
	return out->n <= ATTRIBUTE_MAX ? REFUSE_NONE : REFUSE_ATTRIBUTE_TOO_LONG;
}

/* From behind a member's key to its value. */
static struct slice
value_of(struct slice rest)
{
	size_t i = 0;

	while (i + 1 < rest.n && (rest.p[i] == ':' || rest.p[i] == ' ' || rest.p[i] == '\t' ||
	    rest.p[i] == '\r' || rest.p[i] == '\n'))
		i++;
	return (struct slice){ rest.p + i, rest.n - i };
}

bool
attribute_is_empty(struct slice rest)
{
	rest = value_of(rest);
	return rest.p[0] == 'n' || (rest.n > 1 && rest.p[0] == '"' && rest.p[1] == '"');
}

enum refusal
attribute_value(struct slice rest, bool number, struct buf *text, struct slice *out)
{
	size_t i;

	*out = (struct slice){ 0 };
	rest = value_of(rest);
	if (rest.p[0] == '"')
		return string_value((struct slice){ rest.p + 1, rest.n - 1 }, text, out);
	if (!number || (rest.p[0] != '-' && (rest.p[0] < '0' || rest.p[0] > '9')))
		return REFUSE_NONE;
	for (i = 0; i < rest.n && memchr("+-.0123456789eE", rest.p[i], 15); i++)
		;
	*out = (struct slice){ rest.p, i };
	return i <= ATTRIBUTE_MAX ? REFUSE_NONE : REFUSE_ATTRIBUTE_TOO_LONG;
}
