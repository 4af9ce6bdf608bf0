/*
 * Request context: what is stored about the request that brought an event.
 */
#ifndef EVENT_CONTEXT_H
#define EVENT_CONTEXT_H

#include "base/buf.h"

enum context_ip { CONTEXT_IP_KEEP, CONTEXT_IP_TRUNCATE, CONTEXT_IP_DROP };
enum context_ip context_ip_parse(const char *);	/* "keep|truncate|drop" of the settings */

struct context {
	const char *protocol;		/* "native" ... */
	struct slice client_ip, user_agent, request_id, traceparent;	/* absent or empty: left out */
};

/*
 * Appends {"protocol":...} to out: always an object that jsonb takes, whatever
 * bytes the headers hold. Each value is cut at 512 bytes. truncate keeps the first
 * 24 bits of an IPv4 and 48 of an IPv6 address; what is no address is dropped.
 */
void context_json(struct buf *out, const struct context *, enum context_ip);

#endif
