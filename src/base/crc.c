#include "base/crc.h"

#include <stdbool.h>
#include <string.h>

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t n)
{
	static uint32_t table[256];
	static bool made;
	const uint8_t *p = data;
	uint32_t i, k, c;

	if (!made) {
		for (i = 0; i < 256; i++) {
			for (c = i, k = 0; k < 8; k++)
				c = c >> 1 ^ (0x82F63B78U & (0U - (c & 1)));
			table[i] = c;
		}
		made = true;
	}
	crc = ~crc;
	while (n-- > 0)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xFF];
	return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t c = ~crc, w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		c = __builtin_ia32_crc32di(c, w);
	}
	for (; n > 0; n--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return ~(uint32_t)c;
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t n)
{
	static int has;		/* 0: not asked yet */

	if (has == 0)
		has = __builtin_cpu_supports("sse4.2") ? 1 : -1;
	return has > 0 ? crc32c_sse42(crc, data, n) : crc32c_portable(crc, data, n);
}

#elif defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

uint32_t
crc32c(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t c = ~crc;
	uint64_t w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		c = __crc32cd(c, w);
	}
	for (; n > 0; n--)
		c = __crc32cb(c, *p++);
	return ~c;
}

#else

uint32_t
crc32c(uint32_t crc, const void *data, size_t n)
{
	return crc32c_portable(crc, data, n);
}

#endif
