#include "event/validate.h"

#define HIGH_BITS	UINT64_C(0x8080808080808080)

/* First byte of [p, end) that is not ASCII, or end. */
static const unsigned char *
skip_ascii(const unsigned char *p, const unsigned char *end)
{
	uint64_t w[4];

	for (; end - p >= 32; p += 32) {
		memcpy(w, p, 32);
		if ((w[0] | w[1] | w[2] | w[3]) & HIGH_BITS)
			break;
	}
	for (; end - p >= 8; p += 8) {
		memcpy(w, p, 8);
		if (w[0] & HIGH_BITS)
			break;
	}
	while (p < end && *p < 0x80)
		p++;
	return p;
}

/* Where the first byte stands that is not UTF-8, or s.n. */
static size_t
find_bad_utf8(struct slice s)
{
	const unsigned char *begin = (const unsigned char *)s.p, *end = begin + s.n;
	const unsigned char *p = begin;
	size_t n;

	while ((p = skip_ascii(p, end)) < end)
		for (; p < end && *p >= 0x80; p += n) {
			n = utf8_char(p, (size_t)(end - p));
			if (n == 0)
				return (size_t)(p - begin);
		}
	return s.n;
}

unsigned
validate_hex4(const char *p)
{
	unsigned v = 0;
	int i;

	for (i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return v;
}

/* The escape at p, of which n bytes follow the backslash; *len: how long it is. */
static enum refusal
check_escape(const char *p, size_t n, size_t *len)
{
	unsigned u, low;

	*len = 2;
	if (n < 5 || p[1] != 'u')
		return REFUSE_NONE;
	*len = 6;
	u = validate_hex4(p + 2);
	if (u == 0)
		return REFUSE_NUL_CHARACTER;
	if (u < 0xD800 || u > 0xDFFF)
		return REFUSE_NONE;
	if (u > 0xDBFF || n < 11 || p[6] != '\\' || p[7] != 'u')
		return REFUSE_LONE_SURROGATE;
	low = validate_hex4(p + 8);
	*len = 12;
	return low >= 0xDC00 && low <= 0xDFFF ? REFUSE_NONE : REFUSE_LONE_SURROGATE;
}

enum refusal
validate_text(struct slice s, size_t *at)
{
	const char *p = s.p, *end = s.p + s.n;
	enum refusal r;
	size_t len;

	*at = find_bad_utf8(s);
	if (*at < s.n)
		return REFUSE_INVALID_UTF8;
	while (p < end && (p = memchr(p, '\\', (size_t)(end - p))))
		for (; p < end && *p == '\\'; p += len) {
			r = check_escape(p, (size_t)(end - p) - 1, &len);
			if (r != REFUSE_NONE) {
				*at = (size_t)(p - s.p);
				return r;
			}
		}
	return REFUSE_NONE;
}

/* What follows the e of a number. It stops growing where no fraction that fits
 * into an event could bring it back into range. */
static int64_t
exponent(const char *p, const char *end)
{
	bool minus = p < end && *p == '-';
	int64_t v = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
		if (v < INT64_C(1000000000000))
			v = v * 10 + (*p - '0');
	return minus ? -v : v;
}

bool
validate_number(struct slice s)
{
	const char *p = s.p, *end = s.p + s.n;
	int64_t digits = 0, fraction = 0, lead;
	bool point = false;

	for (; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (*p == '-')
			continue;
		digits += digits > 0 || *p != '0';	/* from the first that is not 0 */
		fraction += point;
	}
	/* the power of ten of the first of these digits, or of a zero's last */
	lead = (digits > 0 ? digits - 1 : 0) - fraction;
	if (p < end)
		lead += exponent(p + 1, end);
	return digits <= NUMBER_DIGITS_MAX &&
	    lead >= -NUMBER_EXPONENT_MAX && lead <= NUMBER_EXPONENT_MAX;
}
