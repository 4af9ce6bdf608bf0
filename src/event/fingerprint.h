/*
 * Fingerprints: 128 bits that are equal for two deliveries of one event.
 *
 * The first 16 bytes of SHA-256 over five fields, one after another. Each field is
 * its length as 4 bytes, most significant first, then its bytes:
 *
 *	"forebay:key,source,id,payload"		what the rest is
 *	key		name of the write key, empty without keys
 *	source		the row's source, empty when it has none
 *	id		as stored in the row
 *	payload		as posted, byte for byte
 *
 * These bytes are part of the promise: another layout would let events through
 * twice that were sent before and after an upgrade.
 */
#ifndef EVENT_FINGERPRINT_H
#define EVENT_FINGERPRINT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"

struct fingerprint;		/* a hash that is ready to run; one for each decoder */

enum err fingerprint_new(struct fingerprint **) MUST_CHECK;	/* ERR_NOMEM */
void fingerprint_free(struct fingerprint **);

/* Of plain JSON that carries an id. ERR_NOMEM: libcrypto failed, which it does for
 * want of memory only. */
enum err fingerprint_event(struct fingerprint *, struct slice key, struct slice source,
			   struct slice id, struct slice payload, struct uuid *out) MUST_CHECK;

#endif
