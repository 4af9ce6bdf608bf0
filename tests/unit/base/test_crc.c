/* CRC-32C: published vectors, and the processor's instruction against the table. */
#include <stdlib.h>

#include "base/crc.h"
#include "tools/tap.h"

static void
vector(const void *p, size_t n, uint32_t want, const char *what)
{
	is_int(crc32c(0, p, n), want, what);
	is_int(crc32c_portable(0, p, n), want, what);
}

int
main(void)
{
	unsigned char b[1000];
	unsigned i, n, off, wrong = 0;

	/* RFC 3720, B.4 */
	memset(b, 0, 32);
	vector(b, 32, 0x8A9136AA, "32 bytes of 0");
	memset(b, 0xFF, 32);
	vector(b, 32, 0x62A8AB43, "32 bytes of 255");
	for (i = 0; i < 32; i++)
		b[i] = (unsigned char)i;
	vector(b, 32, 0x46DD794E, "0 to 31");
	for (i = 0; i < 32; i++)
		b[i] = (unsigned char)(31 - i);
	vector(b, 32, 0x113FDB5C, "31 to 0");
	vector("123456789", 9, 0xE3069283, "the check value");
	vector("", 0, 0, "nothing");

	printf("# seed 1\n");
	srandom(1);
	for (i = 0; i < sizeof b; i++)
		b[i] = (unsigned char)random();
	for (off = 0; off < 16; off++)
		for (n = 0; n < 900; n += 7)
			wrong += crc32c(off, b + off, n) != crc32c_portable(off, b + off, n);
	is_int(wrong, 0, "both ways agree at any length and alignment");
	for (wrong = n = 0; n <= 500; n++)
		wrong += crc32c(crc32c(0, b, n), b + n, 500 - n) != crc32c(0, b, 500);
	is_int(wrong, 0, "a sum can be continued at any place");
	return done();
}
