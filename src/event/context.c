#include "event/context.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define VALUE_MAX	512

enum context_ip
context_ip_parse(const char *name)
{
	if (strcmp(name, "truncate") == 0)
		return CONTEXT_IP_TRUNCATE;
	return strcmp(name, "keep") == 0 ? CONTEXT_IP_KEEP : CONTEXT_IP_DROP;
}

static void
member(struct buf *out, const char *name, struct slice value)
{
	if (value.n == 0)
		return;
	buf_puts(out, out->p && out->n > 0 && out->p[out->n - 1] == '{' ? "\"" : ",\"");
	buf_puts(out, name);
	buf_puts(out, "\":");
	buf_json(out, value, VALUE_MAX);
}

/* The network an address is in, as text in the caller's buffer. */
static struct slice
truncate_ip(struct slice ip, char text[INET6_ADDRSTRLEN])
{
	unsigned char a[sizeof(struct in6_addr)];
	char in[INET6_ADDRSTRLEN];
	const char *got = NULL;

	if (ip.n >= sizeof in)
		return (struct slice){ 0 };
	memcpy(in, ip.p, ip.n);
	in[ip.n] = '\0';
	if (inet_pton(AF_INET, in, a) == 1) {
		a[3] = 0;
		got = inet_ntop(AF_INET, a, text, INET6_ADDRSTRLEN);
	} else if (inet_pton(AF_INET6, in, a) == 1) {
		/* ::ffff:192.0.2.1 is an IPv4 address in disguise */
		if (memcmp(a, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
			a[15] = 0;
		else
			memset(a + 6, 0, 10);
		got = inet_ntop(AF_INET6, a, text, INET6_ADDRSTRLEN);
	}
	return slice_str(got);
}

void
context_json(struct buf *out, const struct context *c, enum context_ip how)
{
	char text[INET6_ADDRSTRLEN];
	struct slice ip = c->client_ip;

	if (how == CONTEXT_IP_DROP || !ip.p)
		ip = (struct slice){ 0 };
	else if (how == CONTEXT_IP_TRUNCATE)
		ip = truncate_ip(ip, text);
	buf_puts(out, "{");
	member(out, "protocol", slice_str(c->protocol));
	member(out, "client_ip", ip);
	member(out, "user_agent", c->user_agent);
	member(out, "request_id", c->request_id);
	member(out, "traceparent", c->traceparent);
	buf_puts(out, "}");
}
