/* The fingerprint's bytes, which no version may change. */
#include "base/clock.h"
#include "event/fingerprint.h"
#include "tools/tap.h"

static struct sha256 *sha;

static struct uuid
of(const char *key, const char *source, const char *id, const char *payload)
{
	struct uuid u = { { 0 } };

	if (fingerprint_event(sha, slice_str(key), slice_str(source), slice_str(id), slice_str(payload),
	    CLOCK_UNSET, &u) != ERR_OK)
		ok(false, "hashed");
	return u;
}

static bool
same(struct uuid a, struct uuid b)
{
	return memcmp(&a, &b, 16) == 0;
}

/* The sum of the bytes as the header lays them out, put in one piece. */
static struct uuid
sum(struct slice bytes)
{
	uint8_t out[SHA256_BYTES] = { 0 };
	struct uuid u;

	sha256_begin(sha);
	sha256_put(sha, bytes);
	if (sha256_end(sha, out) != ERR_OK)
		ok(false, "hashed");
	memcpy(u.b, out, sizeof u.b);
	return u;
}

static void
test_layout(void)
{
	struct uuid u = of("k1", "web", "order-1", "{\"id\":\"order-1\"}");
	struct uuid id;
	char out[UUID_TEXT];

	ok(same(u, sum(SLICE("\0\0\0\x1d" "forebay:key,source,id,payload" "\0\0\0\2k1" "\0\0\0\3web"
	    "\0\0\0\7order-1" "\0\0\0\x10{\"id\":\"order-1\"}"))), "the layout of an event's");
	is_str(uuid_text(u, out), "2cd8620f-3e97-fcd1-f4ee-324e757ebfac", "and its value");
	ok(fingerprint_request(sha, SLICE("k1"), SLICE("retry-7"), 258, &u, &id) == ERR_OK &&
	    same(u, sum(SLICE("\0\0\0\x21" "forebay:key,idempotency-key,index" "\0\0\0\2k1"
	    "\0\0\0\7retry-7" "\0\0\0\4\0\0\1\2"))), "the layout of a request's");
	is_str(uuid_text(id, out), "f73b52ee-d531-828f-8e08-68b3a074414c", "and the id that its other half makes");
}

static void
test_time(void)
{
	struct uuid plain = of("k", "s", "i", "p"), u = { { 0 } };

	ok(fingerprint_event(sha, SLICE("k"), SLICE("s"), SLICE("i"), SLICE("p"), INT64_C(1234567890123999), &u) == ERR_OK &&
	    memcmp(u.b, "\x01\x1f\x71\xfb\x04\xcb", 6) == 0 && memcmp(u.b + 6, plain.b + 6, 10) == 0,
	    "an event's milliseconds in front, the hash after them");
	ok(fingerprint_event(sha, SLICE("k"), SLICE("s"), SLICE("i"), SLICE("p"), -1, &u) == ERR_OK && same(u, plain),
	    "before 1970 the hash alone");
}

static void
test_fields(void)
{
	struct uuid u = of("k", "s", "i", "p");

	ok(same(u, of("k", "s", "i", "p")), "the same again");
	ok(!same(u, of("ks", "", "i", "p")) && !same(u, of("k", "si", "", "p")) && !same(u, of("", "ks", "i", "p")) &&
	    !same(u, of("k", "s", "ip", "")), "fields do not run into each other");
	ok(same(of("", NULL, "i", "p"), of("", "", "i", "p")), "no source is an empty one");
}

static void
test_long(void)
{
	static char big[3000000];
	struct uuid u;

	memset(big, 'x', sizeof big - 1);
	u = of("", "", "i", big);
	big[sizeof big - 2] = 'y';
	ok(!same(u, of("", "", "i", big)), "the last byte of a long payload counts");
}

int
main(void)
{
	if (sha256_new(&sha) != ERR_OK)
		return 1;
	test_layout();
	test_time();
	test_fields();
	test_long();
	sha256_free(&sha);
	return done();
}
