/* Request context: always a JSON object that jsonb takes, and no more of an address than allowed. */
#include <stdlib.h>

#include "event/context.h"
#include "tools/naive_json.h"
#include "tools/tap.h"

static struct buf out;

static const char *
json(const struct context *c, enum context_ip how)
{
	buf_reset(&out);
	context_json(&out, c, how);
	buf_put(&out, "", 1);
	return out.p;
}

static void
address(const char *ip, enum context_ip how, const char *want)
{
	struct context c = { .protocol = "native", .client_ip = slice_str(ip) };
	char expected[200];

	snprintf(expected, sizeof expected, *want ? "{\"protocol\":\"native\",\"client_ip\":\"%s\"}" :
	    "{\"protocol\":\"native\"}", want);
	is_str(json(&c, how), expected, ip ? ip : "no address");
}

static void
test_addresses(void)
{
	address("192.0.2.17", CONTEXT_IP_KEEP, "192.0.2.17");
	address("2001:db8::1", CONTEXT_IP_KEEP, "2001:db8::1");
	address("unix:", CONTEXT_IP_KEEP, "unix:");
	address("192.0.2.17", CONTEXT_IP_TRUNCATE, "192.0.2.0");
	address("2001:db8:1:2:3:4:5:6", CONTEXT_IP_TRUNCATE, "2001:db8:1::");
	address("::1", CONTEXT_IP_TRUNCATE, "::");
	address("::ffff:192.0.2.17", CONTEXT_IP_TRUNCATE, "::ffff:192.0.2.0");
	address("192.0.2", CONTEXT_IP_TRUNCATE, "");
	address("unix:", CONTEXT_IP_TRUNCATE, "");
	address("192.0.2.17, 10.0.0.1", CONTEXT_IP_TRUNCATE, "");
	address("fe80::1%eth0", CONTEXT_IP_TRUNCATE, "");
	address("2001:db8:1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0:1:2:3", CONTEXT_IP_TRUNCATE, "");
	address("", CONTEXT_IP_TRUNCATE, "");
	address(NULL, CONTEXT_IP_TRUNCATE, "");
	address(NULL, CONTEXT_IP_KEEP, "");
	address("192.0.2.17", CONTEXT_IP_DROP, "");
	ok(context_ip_parse("keep") == CONTEXT_IP_KEEP && context_ip_parse("truncate") == CONTEXT_IP_TRUNCATE &&
	    context_ip_parse("drop") == CONTEXT_IP_DROP, "the words of the settings");
	ok(context_ip_parse("?") == CONTEXT_IP_DROP, "in doubt nothing is stored");
}

static void
test_members(void)
{
	struct context c = {
		.protocol = "native", .client_ip = SLICE("192.0.2.1"), .user_agent = SLICE("curl \"7\"\n"),
		.request_id = SLICE("abc"), .traceparent = SLICE("00-0af7-b7ad-01"),
	};
	char big[2000];

	is_str(json(&c, CONTEXT_IP_KEEP), "{\"protocol\":\"native\",\"client_ip\":\"192.0.2.1\","
	    "\"user_agent\":\"curl \\\"7\\\"\\u000a\",\"request_id\":\"abc\",\"traceparent\":\"00-0af7-b7ad-01\"}", "all of it");
	memset(big, '{', sizeof big);
	c = (struct context){ .user_agent = { big, sizeof big } };
	json(&c, CONTEXT_IP_KEEP);
	is_int((long long)out.n - 1, 512 + 17, "a value is cut at 512 bytes");
	c = (struct context){ 0 };
	is_str(json(&c, CONTEXT_IP_KEEP), "{}", "nothing");
}

static void
test_noise(void)
{
	struct context c = { .protocol = "native" };
	size_t i, k, n, wrong = 0;
	char noise[700];

	printf("# seed 5\n");
	srandom(5);
	for (i = 0; i < 5000; i++) {
		n = (size_t)random() % sizeof noise;
		for (k = 0; k < n; k++)
			noise[k] = (char)(i % 2 ? random() : "\xC3\xA9\xE2\x82\xAC\\\"\0\n\xF0\x9F\x98\x80\xED\xA0"[random() % 16]);
		c.user_agent = c.client_ip = (struct slice){ noise, n };
		json(&c, (enum context_ip)(i % 3));
		wrong += !naive_storable(naive_judge(out.p, out.n - 1, 2));
	}
	is_int((long long)wrong, 0, "5,000 headers of noise are objects that can be stored");
}

int
main(void)
{
	buf_init(&out, 1 << 16);
	test_addresses();
	test_members();
	test_noise();
	buf_fini(&out);
	return done();
}
