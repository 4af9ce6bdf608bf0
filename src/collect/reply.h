/*
 * What answers look like. Input is never echoed.
 */
#ifndef COLLECT_REPLY_H
#define COLLECT_REPLY_H

#include "collect/fcgi.h"
#include "event/decode.h"

void reply_init(struct reply *);
void reply_fini(struct reply *);
void reply_reset(struct reply *);	/* for the next request; keeps memory */

/* application/problem+json (RFC 9457) with `code` and `message` beside the
 * standard members; decoded adds offset and errors, or is NULL. */
void reply_problem(struct reply *, enum refusal, const struct decoded *);
/* 202 {"accepted":N,"rejected":M,"receipt":"..."} and errors when M > 0. */
void reply_accepted(struct reply *, struct uuid segment, const struct decoded *);
void reply_json(struct reply *, int status, const char *fmt, ...) PRINTF(3, 4);

#endif
