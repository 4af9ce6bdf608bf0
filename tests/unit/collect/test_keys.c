/* Write keys: the file, the ways a client shows one, origins, and what is refused. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "collect/keys.h"
#include "collect/param.h"
#include "tools/rows.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static char dir[256], path[300], errmsg[256];
static struct sha256 *sha;

static void
write_file(const char *text)
{
	tmp_write(path, text);
}

static void
put_key(FILE *f, const char *key, const char *rest)
{
	uint8_t sum[SHA256_BYTES];
	size_t i;

	sha256_begin(sha);
	sha256_put(sha, slice_str(key));
	if (sha256_end(sha, sum) != ERR_OK)
		exit(1);
	for (i = 0; i < sizeof sum; i++)
		fprintf(f, "%02x", sum[i]);
	fprintf(f, " %s\n", rest);
}

static const char *
try(struct keys *k, struct credentials c)
{
	const struct key *found;

	switch (keys_check(k, sha, &c, &found)) {
	case REFUSE_NONE:
		return found->name;
	case REFUSE_UNAUTHORIZED:
		return "unauthorized";
	case REFUSE_FORBIDDEN:
		return "forbidden";
	default:
		return "?";
	}
}

static void
test_ways(void)
{
	struct keys *k;
	FILE *f = tmp_open(path);

	fputs("# comment\n\n", f);
	put_key(f, "secret-1", "web-1 web https://a.example,https://B.example");
	put_key(f, "secret-2", "web-2 web  # rotation");
	put_key(f, "secret-3", "back back");
	fclose(f);
	ok(keys_open(&k, path, errmsg) == ERR_OK, "a file of three keys");
	is_str(try(k, (struct credentials){ .authorization = SLICE("Bearer secret-1") }), "web-1", "Bearer");
	is_str(try(k, (struct credentials){ .authorization = SLICE("bearer  secret-2") }), "web-2",
	    "the scheme in any case, several spaces");
	is_str(try(k, (struct credentials){ .authorization = SLICE("Basic c2VjcmV0LTM6") }), "back",
	    "Basic, the key as user");
	is_str(try(k, (struct credentials){ .authorization = SLICE("Basic c2VjcmV0LTM6eA==") }), "back",
	    "Basic, a password is ignored");
	is_str(try(k, (struct credentials){ .authorization = SLICE("Basic c2VjcmV0LTM=") }), "back",
	    "Basic without a colon");
	is_str(try(k, (struct credentials){ .authorization = SLICE("Basic c2VjcmV0LTM") }), "back",
	    "Basic without padding");
	is_str(try(k, (struct credentials){ .x_api_key = SLICE("secret-3") }), "back", "x-api-key");
	is_str(try(k, (struct credentials){ .query = SLICE("mode=sync&key=secret-3") }), "back", "?key=");
	is_str(try(k, (struct credentials){ .query = SLICE("nokey=secret-3") }), "unauthorized",
	    "another parameter that ends in key");
	is_str(try(k, (struct credentials){ .authorization = SLICE("Bearer wrong"),
	    .x_api_key = SLICE("secret-3") }), "unauthorized", "the first way shown counts");
	is_str(try(k, (struct credentials){ .authorization = SLICE("Bearer ") }), "unauthorized", "no key");
	is_str(try(k, (struct credentials){ .authorization = SLICE("Basic !!!!") }), "unauthorized", "no base64");
	is_str(try(k, (struct credentials){ .x_api_key = SLICE("secret-") }), "unauthorized", "a part of a key");
	is_str(try(k, (struct credentials){ .x_api_key = SLICE("secret-1"),
	    .origin = SLICE("https://b.example") }), "web-1", "an origin of the list");
	is_str(try(k, (struct credentials){ .x_api_key = SLICE("secret-1"),
	    .origin = SLICE("https://b.exampl") }), "forbidden", "a part of one is none");
	is_str(try(k, (struct credentials){ .x_api_key = SLICE("secret-1"),
	    .origin = SLICE("https://c.example") }), "forbidden", "another origin");
	is_str(try(k, (struct credentials){ .x_api_key = SLICE("secret-2"),
	    .origin = SLICE("https://c.example") }), "web-2", "a key without a list may be used anywhere");
	ok(!keys_refresh(k) && !keys_refused(k), "the file has not changed");
	keys_close(&k);
}

/* What becomes of the keys in force when the file changes. */
static void
test_changes(void)
{
	const struct credentials first = { .x_api_key = SLICE("secret-1") }, second = { .x_api_key = SLICE("secret-2") };
	struct keys *k;
	FILE *f = fopen(path, "w");

	put_key(f, "secret-1", "a web");
	fclose(f);
	ok(keys_open(&k, path, errmsg) == ERR_OK, "one key");
	is_str(try(k, second), "unauthorized", "another is unknown");
	f = fopen(path, "a");
	put_key(f, "secret-2", "b web");
	fclose(f);
	is_str(try(k, second), "b", "it is good from the moment that it stands there");
	is_str(try(k, first), "a", "the first one too");
	write_file("");
	ok(!keys_refresh(k) && keys_refused(k), "an empty file is refused");
	is_str(try(k, first), "a", "and takes nobody's key away");
	write_file("# none\n");
	ok(!keys_refresh(k) && keys_refused(k), "so is one without a key");
	f = fopen(path, "w");
	put_key(f, "secret-3", "c web");
	fputs("0000000000000000000000000000000000000000000000000000000000000000 d we", f);
	fclose(f);
	ok(!keys_refresh(k) && keys_refused(k), "so is one that is cut in a line");
	is_str(try(k, second), "b", "the keys in force stay");
	unlink(path);
	ok(!keys_refresh(k) && keys_refused(k), "so is none");
	f = fopen(path, "w");
	put_key(f, "secret-2", "b web");
	fclose(f);
	ok(keys_refresh(k) && !keys_refused(k), "a good one counts again");
	is_str(try(k, first), "unauthorized", "without the key that was taken out");
	keys_close(&k);
}

static void
test_bad_files(void)
{
	static const char *const bad[] = {
		"0123 name source\n", "zz\n",
		"0000000000000000000000000000000000000000000000000000000000000000 name\n",
		"000000000000000000000000000000000000000000000000000000000000000g name source\n",
		"0000000000000000000000000000000000000000000000000000000000000000 name source a,b c\n",
		"0000000000000000000000000000000000000000000000000000000000000000 caf\351 source\n",
		"0000000000000000000000000000000000000000000000000000000000000000 name caf\351\n",
	};
	struct keys *k;
	FILE *f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		write_file(bad[i]);
		ok(keys_open(&k, path, errmsg) == ERR_INVALID && strstr(errmsg, ":1: expected"),
		    "a bad line is named: %s", errmsg + strlen(dir));
	}
	write_file("0000000000000000000000000000000000000000000000000000000000000000 name source");
	ok(keys_open(&k, path, errmsg) == ERR_INVALID && strstr(errmsg, ":1: the line has no end"),
	    "a line without an end");
	f = fopen(path, "w");
	put_key(f, "secret-1", "prod shop");
	put_key(f, "secret-2", "prod shop");
	put_key(f, "secret-3", "other web");
	fclose(f);
	ok(keys_open(&k, path, errmsg) == ERR_OK, "two keys of one name and source");
	keys_close(&k);
	f = fopen(path, "a");
	put_key(f, "secret-4", "prod web");
	fclose(f);
	ok(keys_open(&k, path, errmsg) == ERR_INVALID && strstr(errmsg, "prod stands for two sources"),
	    "one name of two sources");
	f = fopen(path, "w");
	put_key(f, "secret-1", "a web");
	fwrite("\0\0\0", 1, 3, f);
	fclose(f);
	ok(keys_open(&k, path, errmsg) == ERR_INVALID, "zeros at the end, as a power cut leaves them");
	write_file("");
	ok(keys_open(&k, path, errmsg) == ERR_DOWN && strstr(errmsg, "no key in it"), "an empty file");
	unlink(path);
	ok(keys_open(&k, path, errmsg) == ERR_DOWN && strstr(errmsg, "forebay key new"),
	    "a file that is not there says what to type");
}

int
main(void)
{
	make_dir(dir);
	snprintf(path, sizeof path, "%s/keys", dir);
	if (sha256_new(&sha) != ERR_OK)
		return 1;
	test_ways();
	test_changes();
	test_bad_files();
	sha256_free(&sha);
	remove_dir(dir);
	return done();
}
