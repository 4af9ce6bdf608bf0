#include "event/inflate.h"

#include <limits.h>
#define ZLIB_CONST
#include <zlib.h>

#define FIRST_ROOM	16384

bool
inflate_is_gzip(struct slice s)
{
	return s.n >= 2 && memcmp(s.p, "\x1f\x8b", 2) == 0;
}

/* RFC 8878, RFC 1950, LZ4's frame format, xz; what is text (zlib's 78 5e, bzip2) may be a
 * bad line before good ones, and stays that */
bool
inflate_is_foreign(struct slice s)
{
	static const char *const begins[] = {
		"\x28\xb5\x2f\xfd", "\x78\x01", "\x78\x9c", "\x78\xda",
		"\x04\x22\x4d\x18", "\xfd\x37zXZ",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(begins); i++)
		if (s.n >= strlen(begins[i]) && memcmp(s.p, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* Room for the next bytes: as much as there is, at least doubling; at the cap a
 * byte beside the buffer, which only a longer output would write. */
static enum err
make_room(z_stream *z, struct buf *out, unsigned char *beyond)
{
	size_t want = out->cap > out->n ? out->cap - out->n : out->n ? out->n : FIRST_ROOM;

	if (want > out->max - out->n)
		want = out->max - out->n;
	if (want > UINT_MAX)
		want = UINT_MAX;
	z->next_out = beyond;
	z->avail_out = 1;
	if (want > 0) {
		z->next_out = (unsigned char *)buf_room(out, want);
		z->avail_out = (unsigned)want;
	}
	return z->next_out ? ERR_OK : ERR_NOMEM;
}

static enum err
members(z_stream *z, struct buf *out)
{
	unsigned char beyond, *room;
	enum err e;
	int rc;

	for (;;) {
		e = make_room(z, out, &beyond);
		if (e != ERR_OK)
			return e;
		room = z->next_out;
		rc = inflate(z, Z_NO_FLUSH);
		if (room == &beyond && z->next_out != room)
			return ERR_TOOBIG;
		if (room != &beyond)
			out->n += (size_t)(z->next_out - room);
		if (rc == Z_STREAM_END && z->avail_in == 0)
			return ERR_OK;
		if (rc == Z_STREAM_END)		/* what follows must be a member again */
			rc = inflateReset(z);
		if (rc == Z_MEM_ERROR)
			return ERR_NOMEM;
		/* Z_BUF_ERROR: no progress although there is room, so the input is cut */
		if (rc != Z_OK)
			return ERR_INVALID;
	}
}

enum err
inflate_gzip(struct slice in, struct buf *out)
{
	z_stream z = { 0 };
	enum err e;

	buf_reset(out);
	if (in.n > UINT_MAX)
		return ERR_TOOBIG;
	if (!inflate_is_gzip(in))
		return ERR_INVALID;
	z.next_in = (const unsigned char *)in.p;
	z.avail_in = (unsigned)in.n;
	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)	/* 16: gzip only */
		return ERR_NOMEM;
	e = members(&z, out);
	inflateEnd(&z);
	return e;
}
