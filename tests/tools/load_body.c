#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/check.h"
#include "tools/load.h"

/* One event, as a shop would send it. Its id is patched in, and each '#' becomes
 * a digit from 1 to 9 drawn from seed and number. */
static const char event_text[] =
	"{\"id\":\"00000000-000000000000\",\"source\":\"shop\",\"type\":\"order.paid\","
	"\"subject\":\"customer/######\",\"time\":\"2026-11-11T00:00:00.000Z\",\"amount\":###.##,"
	"\"currency\":\"EUR\",\"items\":[{\"sku\":\"SKU-#####\",\"qty\":#,\"price\":##.##},"
	"{\"sku\":\"SKU-#####\",\"qty\":#,\"price\":##.##}],\"customer\":{\"plan\":\"gold\","
	"\"since\":20##,\"city\":\"Z\xc3\xbcrich\"},\"page\":\"/checkout/thanks\",\"note\":\"\"}";
#define EVENT_LEN	(sizeof event_text - 1)
#define SEED_END	15		/* of the id's two halves */
#define NUMBER_END	28
#define TIME_END	(sizeof "{\"id\":\"00000000-000000000000\",\"source\":\"shop\",\"type\":\"order.paid\"," \
			"\"subject\":\"customer/######\",\"time\":\"2026-11-11T00:00:00.000" - 1)

static uint64_t
mix(uint64_t x)				/* splitmix64 */
{
	x += 0x9E3779B97F4A7C15u;
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
	return x ^ (x >> 31);
}

/* Events happen one after another, a millisecond apart, like those of live traffic. */
static void
put_time(char *end, uint64_t ms)
{
	/* digits of HH:MM:SS.mmm from its end: where, and how many of each */
	static const struct { unsigned back, base; } digits[] = {
		{ 1, 10 }, { 2, 10 }, { 3, 10 }, { 5, 10 }, { 6, 6 }, { 8, 10 }, { 9, 6 }, { 11, 10 }, { 12, 3 },
	};
	size_t i;

	ms %= 20 * 3600 * 1000;		/* two whole turns of the hours' last digit */
	for (i = 0; i < sizeof digits / sizeof digits[0]; i++, ms /= digits[i - 1].base)
		*(end - digits[i].back) = (char)('0' + ms % digits[i].base);
}

static void
put_event(struct buf *b, const struct load_shape *s, uint64_t number)
{
	static size_t digit[128], n_digits;
	uint64_t draw = mix(((uint64_t)s->seed << 32) ^ number), x;
	size_t pad = s->event_bytes > EVENT_LEN ? s->event_bytes - EVENT_LEN : 0, i;
	char *p = buf_room(b, EVENT_LEN + pad);

	CHECK(p);
	if (n_digits == 0)
		for (i = 0; i < EVENT_LEN; i++)
			if (event_text[i] == '#')
				digit[n_digits++] = i;
	memcpy(p, event_text, EVENT_LEN);
	for (i = 0, x = s->seed; i < 8; i++, x >>= 4)
		p[SEED_END - 1 - i] = "0123456789abcdef"[x & 15];
	for (i = 0, x = number; i < 12; i++, x /= 10)
		p[NUMBER_END - 1 - i] = (char)('0' + x % 10);
	put_time(p + TIME_END, number);
	for (i = 0; i < n_digits; i++) {
		p[digit[i]] = (char)('1' + draw % 9);
		draw = draw >= 9 ? draw / 9 : mix(number + i);
	}
	memset(p + EVENT_LEN - 2, 'x', pad);
	memcpy(p + EVENT_LEN - 2 + pad, "\"}", 2);
	b->n += EVENT_LEN + pad;
}

static void
put_events(struct buf *b, const struct load_shape *s, uint64_t first, unsigned n)
{
	unsigned i;

	if (s->form == FORM_ARRAY)
		buf_puts(b, "[");
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_puts(b, s->form == FORM_ARRAY ? "," : "\n");
		put_event(b, s, first + i);
	}
	buf_puts(b, s->form == FORM_ARRAY ? "]" : s->form == FORM_NDJSON ? "\n" : "");
}

static void
gzip(struct buf *b)
{
	struct buf packed;
	z_stream z = { .next_in = (Bytef *)b->p, .avail_in = (uInt)b->n };

	CHECK(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	buf_init(&packed, b->max);
	z.avail_out = (uInt)deflateBound(&z, b->n);
	z.next_out = (Bytef *)buf_room(&packed, z.avail_out);
	CHECK(z.next_out && deflate(&z, Z_FINISH) == Z_STREAM_END);
	packed.n = z.total_out;
	deflateEnd(&z);
	buf_fini(b);
	*b = packed;
}

void
load_request(struct buf *out, const struct load_shape *s, uint64_t first, unsigned n)
{
	static struct buf body;		/* one, reused: one thread makes all requests */

	if (body.max == 0)
		buf_init(&body, (size_t)64 << 20);
	buf_reset(&body);
	put_events(&body, s, first, n);
	if (s->gzip)
		gzip(&body);
	buf_printf(out, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n",
	    s->path, s->host, s->form == FORM_NDJSON ? "application/x-ndjson" : "application/json",
	    s->gzip ? "Content-Encoding: gzip\r\n" : "", body.n);
	buf_put(out, body.p, body.n);
	CHECK(!out->failed && !body.failed);
}
