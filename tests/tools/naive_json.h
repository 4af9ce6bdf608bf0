/*
 * An independent judge of events: a recursive descent over JSON that knows what
 * jsonb takes. Slow and plain; it shares no line with src/event/.
 */
#ifndef TESTS_NAIVE_JSON_H
#define TESTS_NAIVE_JSON_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct naive {
	const unsigned char *p, *end;
	unsigned depth, deepest;	/* open brackets: now, at most allowed */
	bool bad_grammar;		/* no JSON at all */
	bool bad_utf8, bad_escape, bad_number, too_deep;
};

static inline bool naive_value(struct naive *);

static inline void
naive_space(struct naive *v)
{
	while (v->p < v->end && (*v->p == 32 || *v->p == 9 || *v->p == 10 || *v->p == 13))
		v->p++;
}

static inline bool
naive_byte(struct naive *v, int c)
{
	if (v->p == v->end || *v->p != c)
		return false;
	v->p++;
	return true;
}

static inline bool
naive_word(struct naive *v, const char *w)
{
	while (*w)
		if (!naive_byte(v, *w++))
			return false;
	return true;
}

/* Builds the code point and asks afterwards whether it may stand in so many bytes. */
static inline void
naive_utf8(struct naive *v)
{
	static const unsigned long least[] = { 0, 0x80, 0x800, 0x10000 };
	unsigned long u = *v->p++;
	int more = u >= 0xF0 && u < 0xF8 ? 3 : u >= 0xE0 && u < 0xF0 ? 2 : u >= 0xC0 && u < 0xE0 ? 1 : 0, i;

	if (u < 0x80)
		return;
	if (more == 0) {
		v->bad_utf8 = true;
		return;
	}
	u &= 0x3FUL >> more;
	for (i = 0; i < more; i++) {
		if (v->p == v->end || *v->p < 0x80 || *v->p > 0xBF) {
			v->bad_utf8 = true;
			return;
		}
		u = u * 64 + (*v->p++ - 0x80UL);
	}
	if (u < least[more] || u > 0x10FFFF || (u >= 0xD800 && u < 0xE000))
		v->bad_utf8 = true;
}

static inline long
naive_hex4(struct naive *v)
{
	char h[5] = "";
	int i;

	for (i = 0; i < 4; i++) {
		if (v->p == v->end || !*v->p || !strchr("0123456789abcdefABCDEF", *v->p))
			return -1;
		h[i] = (char)*v->p++;
	}
	return strtol(h, NULL, 16);
}

static inline bool
naive_string(struct naive *v)
{
	bool high = false;	/* the last thing was a high surrogate */
	long u;

	if (!naive_byte(v, '"'))
		return false;
	while (v->p < v->end && *v->p != '"') {
		if (*v->p < 0x20)
			return false;
		if (*v->p != '\\') {
			v->bad_escape |= high;
			high = false;
			naive_utf8(v);
			continue;
		}
		v->p++;
		if (!naive_byte(v, 'u')) {
			if (v->p == v->end || !*v->p || !strchr("\"\\/bfnrt", *v->p))
				return false;
			v->p++;
			v->bad_escape |= high;
			high = false;
			continue;
		}
		u = naive_hex4(v);
		if (u < 0)
			return false;
		if (u == 0 || (u >= 0xDC00 && u < 0xE000) != high)
			v->bad_escape = true;
		high = u >= 0xD800 && u < 0xDC00;
	}
	v->bad_escape |= high;
	return naive_byte(v, '"');
}

/*
 * Writes the digits one after another without the point, takes the zeros in front
 * away and looks what is left: at most 40, the first worth 10^-308 to 10^308.
 */
static inline bool
naive_number(struct naive *v)
{
	const unsigned char *q;
	long long exponent = 0, worth;
	size_t digits = 0, after_point = 0, zeros = 0;
	bool point = false, minus = false;

	naive_byte(v, '-');
	q = v->p;
	while (v->p < v->end && ((*v->p >= '0' && *v->p <= '9') || (*v->p == '.' && !point))) {
		if (*v->p == '.') {
			point = true;
			if (v->p == q)
				return false;
		} else {
			digits++;
			zeros += zeros == digits - 1 && *v->p == '0';
			after_point += point;
		}
		v->p++;
	}
	if (digits == 0 || (point && after_point == 0) || (q[0] == '0' && digits - after_point > 1))
		return false;
	if (v->p < v->end && (*v->p == 'e' || *v->p == 'E')) {
		v->p++;
		minus = v->p < v->end && *v->p == '-';
		if (!minus)
			naive_byte(v, '+');
		else
			v->p++;
		q = v->p;
		for (; v->p < v->end && *v->p >= '0' && *v->p <= '9'; v->p++)
			if (exponent < 1000000000000000LL)
				exponent = exponent * 10 + *v->p - '0';
		if (v->p == q)
			return false;
	}
	worth = (long long)(digits - zeros) - (long long)after_point + (minus ? -exponent : exponent);
	worth -= zeros < digits;	/* of a zero, its last digit */
	if (digits - zeros > 40 || worth > 308 || worth < -308)
		v->bad_number = true;
	return true;
}

static inline bool
naive_list(struct naive *v, int close, bool object)
{
	bool good = true;

	v->p++;
	if (++v->depth > v->deepest)
		v->too_deep = true;
	if (v->depth > 5000)
		return false;		/* our own stack */
	naive_space(v);
	if (!naive_byte(v, close)) {
		do {
			naive_space(v);
			good = !object || naive_string(v);
			naive_space(v);
			good = good && (!object || naive_byte(v, ':')) && naive_value(v);
			naive_space(v);
		} while (good && naive_byte(v, ','));
		good = good && naive_byte(v, close);
	}
	v->depth--;
	return good;
}

static inline bool
naive_value(struct naive *v)
{
	naive_space(v);
	if (v->p == v->end)
		return false;
	switch (*v->p) {
	case '{': return naive_list(v, '}', true);
	case '[': return naive_list(v, ']', false);
	case '"': return naive_string(v);
	case 't': return naive_word(v, "true");
	case 'f': return naive_word(v, "false");
	case 'n': return naive_word(v, "null");
	default: return naive_number(v);
	}
}

/* Judges the n bytes at p as one JSON value with nothing around it but space. */
static inline struct naive
naive_judge(const void *p, size_t n, unsigned depth)
{
	struct naive v = { .p = p, .deepest = depth };

	v.end = v.p + n;
	v.bad_grammar = !naive_value(&v);
	naive_space(&v);
	if (v.p != v.end)
		v.bad_grammar = true;
	return v;
}

static inline bool
naive_storable(struct naive v)
{
	return !v.bad_grammar && !v.bad_utf8 && !v.bad_escape && !v.bad_number && !v.too_deep;
}

#endif
