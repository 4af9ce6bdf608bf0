/*
 * Any bytes as gzip, and as the text to make gzip of. Nothing is ever longer than
 * the cap, and a text comes back as it was.
 */
#include <stdlib.h>
#include <zlib.h>

#include "event/inflate.h"

#define CAP	65536

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* How much fits does not depend on where the cap is. */
static void
check_cap(struct slice in, const struct buf *whole)
{
	struct buf out;

	buf_init(&out, whole->n);
	CHECK(inflate_gzip(in, &out) == ERR_OK && slice_eq(buf_slice(&out), buf_slice(whole)));
	buf_fini(&out);
	if (whole->n > 0) {
		buf_init(&out, whole->n - 1);
		CHECK(inflate_gzip(in, &out) == ERR_TOOBIG && out.n <= out.max);
		buf_fini(&out);
	}
}

static void
check_any(struct slice in)
{
	struct buf out;
	enum err e;

	buf_init(&out, CAP);
	e = inflate_gzip(in, &out);
	CHECK(e == ERR_OK || e == ERR_INVALID || e == ERR_TOOBIG);
	CHECK(out.n <= CAP && out.cap <= CAP);
	CHECK(e != ERR_OK || inflate_is_gzip(in));
	if (e == ERR_OK)
		check_cap(in, &out);
	buf_fini(&out);
}

/* The text in members that begin where its first bytes say. */
static void
check_round_trip(struct slice text)
{
	struct buf gz, out;
	size_t from = 0, n;
	z_stream z;

	buf_init(&gz, SIZE_MAX);
	while (from < text.n) {
		n = 1 + (unsigned char)text.p[from] * 8u;
		if (n > text.n - from)
			n = text.n - from;
		z = (z_stream){ 0 };
		CHECK(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 1, Z_DEFAULT_STRATEGY) == Z_OK);
		z.next_in = (unsigned char *)(uintptr_t)text.p + from;
		z.avail_in = (unsigned)n;
		z.avail_out = (unsigned)deflateBound(&z, n);
		z.next_out = (unsigned char *)buf_room(&gz, z.avail_out);
		CHECK(z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END);
		gz.n += z.total_out;
		deflateEnd(&z);
		from += n;
	}
	buf_init(&out, text.n);
	CHECK(text.n == 0 || (inflate_gzip(buf_slice(&gz), &out) == ERR_OK && slice_eq(buf_slice(&out), text)));
	buf_fini(&out);
	buf_fini(&gz);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice s = { (const char *)data, n };

	check_any(s);
	check_round_trip(s);
	return 0;
}
