/* gzip: whole files only, several members, never more than the cap. */
#include <stdlib.h>
#include <zlib.h>

#include "event/inflate.h"
#include "tools/tap.h"

/* Appends one gzip member. */
static void
deflate_to(struct buf *out, const void *p, size_t n)
{
	z_stream z = { 0 };
	size_t room;

	if (deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(1);
	room = deflateBound(&z, n);
	z.next_in = (unsigned char *)(uintptr_t)p;
	z.avail_in = (unsigned)n;
	z.next_out = (unsigned char *)buf_room(out, room);
	z.avail_out = (unsigned)room;
	if (!z.next_out || deflate(&z, Z_FINISH) != Z_STREAM_END)
		exit(1);
	out->n += room - z.avail_out;
	deflateEnd(&z);
}

static void
test_round_trip(void)
{
	static const size_t sizes[] = { 0, 1, 2, 300, 16383, 16384, 16385, 100000, 3000000 };
	char *text = malloc(3000000);
	struct buf z, out;
	size_t i, k;
	bool good;

	CHECK(text);
	printf("# seed 4\n");
	srandom(4);
	for (i = 0; i < 3000000; i++)
		text[i] = "abcdefgh {}[]\":,"[random() % 16];
	buf_init(&z, 1 << 24);
	buf_init(&out, 3000000);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		buf_reset(&z);
		deflate_to(&z, text, sizes[i]);
		good = inflate_is_gzip(buf_slice(&z)) && inflate_gzip(buf_slice(&z), &out) == ERR_OK &&
		    out.n == sizes[i] && (out.n == 0 || memcmp(out.p, text, out.n) == 0);
		ok(good, "%zu bytes there and back", sizes[i]);
	}
	for (k = 0, buf_reset(&z); k < 50; k++)
		deflate_to(&z, text + 100 * k, 100);
	ok(inflate_gzip(buf_slice(&z), &out) == ERR_OK && out.n == 5000 && memcmp(out.p, text, 5000) == 0, "50 members");
	buf_fini(&z);
	buf_fini(&out);
	free(text);
}

static void
test_broken(void)
{
	struct buf z, out, odd;
	size_t n, wrong = 0, bit;

	buf_init(&z, 4096);
	buf_init(&odd, 4096);
	buf_init(&out, 4096);
	deflate_to(&z, "{\"a\":1}{\"a\":1}", 14);
	n = z.n;
	deflate_to(&z, "{\"b\":1}", 7);
	for (bit = 0; bit < z.n; bit++)		/* cut anywhere but between the members */
		wrong += inflate_gzip((struct slice){ z.p, bit }, &out) != (bit == n ? ERR_OK : ERR_INVALID);
	is_int((long long)wrong, 0, "a file cut short at any byte");
	buf_put(&odd, z.p, z.n);
	buf_put(&odd, "x", 1);
	is_int(inflate_gzip(buf_slice(&odd), &out), ERR_INVALID, "a byte behind it");
	odd.p[odd.n - 1] = '\0';
	is_int(inflate_gzip(buf_slice(&odd), &out), ERR_INVALID, "a zero behind it");
	for (bit = 0, wrong = 0; bit < 8 * z.n; bit++) {
		buf_reset(&odd);
		buf_put(&odd, z.p, z.n);
		odd.p[bit / 8] = (char)(odd.p[bit / 8] ^ 1 << bit % 8);
		wrong += inflate_gzip(buf_slice(&odd), &out) == ERR_OK && !(out.n == 21 &&
		    memcmp(out.p, "{\"a\":1}{\"a\":1}{\"b\":1}", 21) == 0);
	}
	is_int((long long)wrong, 0, "no flipped bit gives another text");
	is_int(inflate_gzip(SLICE("{\"a\":1}"), &out), ERR_INVALID, "no gzip at all");
	is_int(inflate_gzip((struct slice){ NULL, 0 }, &out), ERR_INVALID, "nothing");
	is_int(inflate_gzip(SLICE("\x1f\x8b"), &out), ERR_INVALID, "two bytes of it");
	ok(!inflate_is_gzip(SLICE("\x1f")) && !inflate_is_gzip(SLICE("{}")), "what does not begin like gzip");
	ok(inflate_is_foreign(SLICE("\x28\xb5\x2f\xfd\x24")) && inflate_is_foreign(SLICE("\x78\x9c\xab")), "zstd and zlib are known");
	ok(!inflate_is_foreign(SLICE("{}")) && !inflate_is_foreign(SLICE("x^y")) && !inflate_is_foreign(SLICE("\x28\xb5")) &&
	    !inflate_is_foreign((struct slice){ NULL, 0 }) && !inflate_is_foreign(buf_slice(&z)), "what is neither");
	buf_fini(&z);
	buf_fini(&odd);
	buf_fini(&out);
}

/* 20 MB of zeros in 20 KB, and gzip in gzip. */
static void
test_bomb(void)
{
	static char zeros[1 << 20];
	struct buf z, z2, out;
	int i;

	buf_init(&z, 1 << 24);
	buf_init(&z2, 1 << 24);
	buf_init(&out, 8 << 20);
	for (i = 0; i < 20; i++)
		deflate_to(&z, zeros, sizeof zeros);
	is_int(inflate_gzip(buf_slice(&z), &out), ERR_TOOBIG, "a bomb");
	ok(out.cap <= 8 << 20, "never took more than its cap");
	deflate_to(&z2, z.p, z.n);
	ok(inflate_gzip(buf_slice(&z2), &out) == ERR_OK && out.n == z.n, "one layer is undone, not two");
	buf_fini(&z);
	buf_fini(&z2);
	buf_fini(&out);
}

static void
test_cap(void)
{
	static char text[40000];
	size_t max, wrong = 0;
	struct buf z, out;

	memset(text, 'x', sizeof text);
	buf_init(&z, 1 << 20);
	deflate_to(&z, text, 20000);
	deflate_to(&z, text, 20000);
	for (max = 39900; max < 40100; max++) {
		buf_init(&out, max);
		wrong += inflate_gzip(buf_slice(&z), &out) != (max < 40000 ? ERR_TOOBIG : ERR_OK);
		wrong += out.n > max;
		buf_fini(&out);
	}
	is_int((long long)wrong, 0, "the cap is exact");
	buf_init(&out, 0);
	is_int(inflate_gzip(buf_slice(&z), &out), ERR_TOOBIG, "a cap of nothing");
	buf_reset(&z);
	deflate_to(&z, text, 0);
	is_int(inflate_gzip(buf_slice(&z), &out), ERR_OK, "which an empty file fits");
	buf_fini(&out);
	buf_fini(&z);
}

int
main(void)
{
	test_round_trip();
	test_broken();
	test_bomb();
	test_cap();
	return done();
}
