/*
 * Every N-th allocation of ours fails, once and from then on: ERR_NOMEM, nothing
 * leaks, and the same decoder goes on when there is memory again. The linker sends
 * the calls of our objects (not those of libraries) here.
 */
#include <stdlib.h>
#include <zlib.h>

#include "event/decode.h"
#include "event/inflate.h"
#include "tools/tap.h"

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);

static long left = -1;		/* allocations before one fails; -1: none does */
static bool for_ever, hit;

static bool
fails(void)
{
	if (left < 0 || left-- > 0)
		return false;
	hit = true;
	left = for_ever ? 0 : -1;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

static struct uuid_source ids;
static char events[3 * 500 + 1], text[60000], gz[2000];
static size_t gz_n;

static void
make_input(void)
{
	z_stream z = { 0 };
	size_t i;

	for (i = 0; i < 500; i++)
		memcpy(events + 3 * i, "{}\n", 4);
	memset(text, ' ', sizeof text);
	memcpy(text + sizeof text - 2, "{}", 2);
	if (deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(1);
	z.next_in = (unsigned char *)text;
	z.avail_in = sizeof text;
	z.next_out = (unsigned char *)gz;
	z.avail_out = sizeof gz;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		exit(1);
	gz_n = z.total_out;
	deflateEnd(&z);
}

/* *right: what was said to be done was done. */
static enum err
decode(struct decoder *d, struct slice body, size_t rows, bool *right)
{
	struct decode_request req = {
		.received_at = 1795218327000000, .key = SLICE(""), .context = SLICE("{}"), .ids = &ids,
	};
	const struct decoded *o;
	enum err e = decode_native(d, body, &req, &o);

	*right = *right && (e == ERR_OK || e == ERR_NOMEM) && o->n_rows == (e == ERR_OK ? rows : 0);
	return e;
}

static enum err
scenario(bool *right)
{
	struct decoder *d = NULL;
	struct buf out;
	enum err e, worst;

	buf_init(&out, 1 << 20);
	worst = decoder_new(&d, &(struct limits){ .event_bytes = 1000, .events = 1000, .depth = 8 });
	*right = *right && (worst == ERR_OK) == (d != NULL);
	if (worst == ERR_OK) {
		worst = decode(d, SLICE("{\"id\":\"\\u0041\"}"), 1, right);
		if ((e = decode(d, slice_str(events), 500, right)) != ERR_OK)
			worst = e;
		if ((e = inflate_gzip((struct slice){ gz, gz_n }, &out)) != ERR_OK)
			worst = e;
		else if ((e = decode(d, buf_slice(&out), 1, right)) != ERR_OK)
			worst = e;
		left = -1;		/* there is memory again */
		*right = *right && decode(d, slice_str(events), 500, right) == ERR_OK;
	}
	decoder_free(&d);
	buf_fini(&out);
	return worst;
}

static void
loop(bool again)
{
	bool right = true;
	enum err e;
	long n;

	for_ever = again;
	for (n = 0;; n++) {
		left = n;
		hit = false;
		e = scenario(&right);
		left = -1;
		if (!hit)
			break;
		if (!ok(right && e == ERR_NOMEM, "allocation %ld%s", n, again ? " and all after it" : ""))
			printf("# %s\n", err_name(e));
	}
	ok(n > 8, "there were %ld", n);
	ok(right && e == ERR_OK, "none failed, all is well");
}

int
main(void)
{
	uuid_source_init(&ids);
	make_input();
	loop(false);
	loop(true);
	return done();
}
