/*
 * Undoes gzip, under a cap. Bounded memory: the output never holds more than its
 * max, whatever the input claims.
 */
#ifndef EVENT_INFLATE_H
#define EVENT_INFLATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Do the bytes begin like gzip (1f 8b)? No JSON text does. */
bool inflate_is_gzip(struct slice);

/* Or like another compression that clients use: zstd, zlib, LZ4, xz? No text does. */
bool inflate_is_foreign(struct slice);

/*
 * Inflates one gzip file (RFC 1952; several members are taken, trailing bytes are
 * not) into out, which is emptied first. ERR_INVALID: not complete gzip.
 * ERR_TOOBIG: more than out->max. ERR_NOMEM.
 */
enum err inflate_gzip(struct slice in, struct buf *out) MUST_CHECK;

#endif
