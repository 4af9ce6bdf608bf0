/*
 * SHA-256 by libcrypto, ready to run again and again: looking the algorithm up
 * costs more than hashing a key. One for each thread; made after fork.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SHA256_BYTES	32

struct sha256;

enum err sha256_new(struct sha256 **) MUST_CHECK;	/* ERR_NOMEM */
void sha256_free(struct sha256 **);

/* begin, put what there is, end. A failure, which libcrypto has for want of memory
 * only, sticks until sha256_end() says it. */
void sha256_begin(struct sha256 *);
void sha256_put(struct sha256 *, struct slice);
/* The length as 4 bytes, most significant first, then the bytes: so that bytes
 * cannot move from one field to the next. */
void sha256_put_field(struct sha256 *, struct slice);
enum err sha256_end(struct sha256 *, uint8_t out[SHA256_BYTES]) MUST_CHECK;

#endif
