/* SHA-256: the vectors of FIPS 180, and that one handle does many. */
#include <stdio.h>

#include "base/sha256.h"
#include "tools/tap.h"

static struct sha256 *s;

static void
is_sum(const char *want, const char *what)
{
	uint8_t sum[SHA256_BYTES] = { 0 };
	char hex[2 * SHA256_BYTES + 1];
	size_t i;

	ok(sha256_end(s, sum) == ERR_OK, "done");
	for (i = 0; i < SHA256_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	is_str(hex, want, what);
}

int
main(void)
{
	static char a[1000];
	int i;

	if (sha256_new(&s) != ERR_OK)
		return 1;
	sha256_begin(s);
	is_sum("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "nothing");
	sha256_begin(s);
	sha256_put(s, SLICE("a"));
	sha256_put(s, (struct slice){ 0 });
	sha256_put(s, SLICE("bc"));
	is_sum("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc, in pieces");
	memset(a, 'a', sizeof a);
	sha256_begin(s);
	for (i = 0; i < 1000; i++)
		sha256_put(s, (struct slice){ a, sizeof a });
	is_sum("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "a million times a");
	sha256_begin(s);
	sha256_put(s, SLICE("left alone"));
	sha256_begin(s);
	sha256_put_field(s, SLICE("abc"));
	sha256_put_field(s, (struct slice){ 0 });
	is_sum("2ddb14a1438cb06f0658085e174f50efba5cfb97b27cfcc9d5c69735e9602e1e", "a field is its length and its bytes");
	sha256_free(&s);
	sha256_free(&s);
	ok(s == NULL, "freed, twice");
	return done();
}
