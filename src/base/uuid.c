#include "base/uuid.h"

#include <string.h>
#include <sys/random.h>

#include "base/check.h"

void
uuid_source_init(struct uuid_source *s)
{
	s->last = 0;
	s->left = 0;
}

static void
fill(struct uuid_source *s)
{
	size_t got = 0;
	ssize_t n;

	while (got < sizeof s->random) {
		/* at most 256 bytes are never cut short by a signal */
		n = getrandom(s->random + got, 256, 0);
		CHECK(n == 256);
		got += (size_t)n;
	}
	s->left = sizeof s->random;
}

struct uuid
uuid_v7(struct uuid_source *s, int64_t now_us)
{
	uint64_t ms = (uint64_t)now_us / 1000;
	uint64_t stamp = ms << 12 | ((uint64_t)now_us % 1000 * 4096 / 1000);
	struct uuid u;
	int i;

	if (stamp <= s->last)
		stamp = s->last + 1;
	s->last = stamp;
	if (s->left < 8)
		fill(s);
	s->left -= 8;
	memcpy(u.b + 8, s->random + s->left, 8);
	for (i = 0; i < 6; i++)
		u.b[i] = (uint8_t)(stamp >> (52 - 8 * i));
	u.b[6] = (uint8_t)(0x70 | (stamp >> 8 & 0x0F));
	u.b[7] = (uint8_t)stamp;
	u.b[8] = (uint8_t)((u.b[8] & 0x3F) | 0x80);
	return u;
}

struct uuid
uuid_v8(const uint8_t bytes[16])
{
	struct uuid u;

	memcpy(u.b, bytes, sizeof u.b);
	u.b[6] = (uint8_t)(0x80 | (u.b[6] & 0x0F));
	u.b[8] = (uint8_t)((u.b[8] & 0x3F) | 0x80);
	return u;
}

int64_t
uuid_time(struct uuid u)
{
	int64_t ms = 0;
	int i;

	for (i = 0; i < 6; i++)
		ms = ms << 8 | u.b[i];
	return u.b[6] >> 4 == 7 ? ms * 1000 : 0;
}

const char *
uuid_text(struct uuid u, char out[UUID_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	char *o = out;
	int i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*o++ = '-';
		*o++ = hex[u.b[i] >> 4];
		*o++ = hex[u.b[i] & 15];
	}
	*o = '\0';
	return out;
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
uuid_parse(const char *s, size_t n, struct uuid *u)
{
	size_t i, o = 0;
	int hi, lo;

	if (n != 36)
		return false;
	for (i = 0; i < 36;) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i++] != '-')
				return false;
			continue;
		}
		hi = nibble(s[i++]);
		lo = nibble(s[i++]);
		if (hi < 0 || lo < 0)
			return false;
		u->b[o++] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}
