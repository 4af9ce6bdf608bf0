/* JSON Pointers of places in an event. */
#include "event/pointer.h"
#include "tools/tap.h"

static void
at(const char *json, const char *mark, const char *want)
{
	struct buf b;
	const char *p = strstr(json, mark);

	buf_init(&b, 4096);
	pointer_to(&b, slice_str(json), (size_t)(p - json));
	buf_put(&b, "", 1);
	is_str(b.failed ? "failed" : b.p, want, json);
	buf_fini(&b);
}

int
main(void)
{
	static char deep[2000];
	struct buf b;

	at("{\"a\":1}", "1", "/a");
	at("{\"a\":{\"b\":[10,20,{\"c\":30}]}}", "20", "/a/b/1");
	at("{\"a\":{\"b\":[10,20,{\"c\":30}]}}", "30", "/a/b/2/c");
	at("{\"a\":[1,2],\"z\":3}", "3", "/z");
	at("{\"a\":[1,2],\"z\":3}", "{", "");
	at("{\"a/b~c\":7}", "7", "/a~1b~0c");
	at("{\"s\":\"x,{[\\\"]\",\"t\":5}", "5", "/t");
	at("[[[]],4]", "4", "/1");
	at("{\"open\":[1,", ",", "/open/1");
	memset(deep, '[', sizeof deep - 1);
	buf_init(&b, 4096);
	pointer_to(&b, slice_str(deep), sizeof deep - 2);
	ok(!b.failed && b.n <= 512, "two thousand levels give at most 512 bytes");
	buf_fini(&b);
	return done();
}
