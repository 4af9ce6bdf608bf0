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

/* Reason phrase of a status (RFC 9110). */
const char *reply_title(int status);

/* application/problem+json (RFC 9457) with `code` and `message` beside the
 * standard members; decoded adds offset and errors, or is NULL. */
void reply_problem(struct reply *, enum refusal, const struct decoded *);
/* 202 {"accepted":N,"rejected":M,"receipt":"..."} and errors when M > 0. */
void reply_accepted(struct reply *, struct uuid segment, const struct decoded *);
/* 201 {"accepted":N,"rejected":0,"receipt":"...","ids":[...]}; a list that does not
 * fit is cut, and "ids_left_out" says by how many. */
void reply_created(struct reply *, struct uuid segment, const struct decoded *);
/* 422 with every error and where it is; cut likewise. body: what was decoded. */
void reply_refused(struct reply *, const struct decoded *, struct slice body);
void reply_json(struct reply *, int status, const char *fmt, ...) PRINTF(3, 4);

#endif
