/* Which bytes are a whole FastCGI request, which a good beginning, and which neither. */
#include <stdint.h>
#include <stdlib.h>

#include "collect/record.h"
#include "tools/tap.h"

static uint8_t bytes[200 * 1024];
static size_t n;

static void
record(unsigned type, unsigned id, const void *content, size_t len, unsigned padding)
{
	const uint8_t head[8] = { 1, (uint8_t)type, (uint8_t)(id >> 8), (uint8_t)id,
		(uint8_t)(len >> 8), (uint8_t)len, (uint8_t)padding, 0 };

	memcpy(bytes + n, head, 8);
	memcpy(bytes + n + 8, content, len);
	memset(bytes + n + 8 + len, 0, padding);
	n += 8 + len + padding;
}

static void
begin(const char *params, size_t len)
{
	static const uint8_t role[8] = { 0, 1, 1 };

	n = 0;
	record(1, 1, role, 8, 0);
	record(4, 1, params, len, 3);
	record(4, 1, "", 0, 0);
}

static void
request(void)
{
	begin("\1\1AB\2\3XYabc", 11);
	record(5, 1, "{}", 2, 6);
	record(5, 1, "", 0, 0);
}

static void
test_every_cut(void)
{
	size_t i, whole;
	int wrong = 0;

	request();
	whole = n;
	is_int(record_scan(bytes, whole), RECORD_WHOLE, "a request as nginx sends it is whole");
	for (i = 0; i < whole; i++)
		wrong += record_scan(bytes, i) != RECORD_PARTIAL;
	is_int(wrong, 0, "cut anywhere it is partial");
	record(1, 1, "\0\1\1\0\0\0\0", 8, 0);
	is_int(record_scan(bytes, n), RECORD_BAD, "with another behind it, it is bad");
}

static void
test_bad(void)
{
	request();
	bytes[0] = 2;
	is_int(record_scan(bytes, n), RECORD_BAD, "another version");
	request();
	bytes[1] = 9;
	is_int(record_scan(bytes, n), RECORD_BAD, "a management record");
	request();
	bytes[3] = 0;
	is_int(record_scan(bytes, n), RECORD_BAD, "request id 0");
	request();
	bytes[9] = 3;
	is_int(record_scan(bytes, n), RECORD_BAD, "another role than responder");
	begin("\1\1AB", 4);
	record(5, 2, "{}", 2, 0);
	is_int(record_scan(bytes, n), RECORD_BAD, "a record of another request");
	begin("\1\1AB", 4);
	record(2, 1, "", 0, 0);
	is_int(record_scan(bytes, n), RECORD_BAD, "an abort");
	begin("\x7f\x7f" "AB", 4);
	is_int(record_scan(bytes, n), RECORD_BAD, "a parameter longer than its record");
	begin("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	is_int(record_scan(bytes, n), RECORD_BAD, "parameters of 2 GiB each");
	begin("\x80\0", 2);
	is_int(record_scan(bytes, n), RECORD_BAD, "half a length");
}

static void
test_large(void)
{
	static char body[65000];
	size_t params;

	begin("\1\1AB", 4);
	params = n;
	record(5, 1, body, 60000, 0);
	record(5, 1, body, 60000, 0);
	is_int(record_scan(bytes, RECORD_WINDOW), RECORD_LARGE, "more body than the window holds");
	is_int(record_scan(bytes, RECORD_WINDOW - 1), RECORD_PARTIAL, "one byte less may still be whole");
	is_int(record_scan(bytes, params), RECORD_PARTIAL, "parameters only");
	n = 16;
	record(4, 1, body, sizeof body, 0);
	record(4, 1, body, sizeof body, 0);
	is_int(record_scan(bytes, RECORD_WINDOW), RECORD_BAD, "parameters without end");
}

int
main(void)
{
	unsigned seed = 1, i;
	int wrong = 0;
	size_t k;

	test_every_cut();
	test_bad();
	test_large();
	for (i = 0; i < 20000; i++) {	/* never reads past n: for the sanitizers */
		uint8_t *p;

		request();
		bytes[rand_r(&seed) % n] = (uint8_t)rand_r(&seed);
		k = (size_t)rand_r(&seed) % (n + 1);
		p = malloc(k ? k : 1);
		if (!p)
			exit(1);
		memcpy(p, bytes, k);
		wrong += record_scan(p, k) > RECORD_BAD;
		free(p);
	}
	is_int(wrong, 0, "20,000 changed requests");
	return done();
}
