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
 * Where such an event has a time, not before 1970, its milliseconds stand in the place of
 * the first 6 bytes, as in a UUIDv7: live events then go into PostgreSQL's unique index at its
 * end instead of all over it (decisions/0006). The payload says the time, so two
 * deliveries agree on it.
 *
 * Of a request with an Idempotency-Key, over four:
 *
 *	"forebay:key,idempotency-key,index"
 *	key		name of the write key
 *	the header's value
 *	place of the event in the request as 4 bytes, most significant first
 *
 * An event of such a request that has no id of its own gets one from the other half of this sum,
 * bytes 16 to 31, as a UUIDv8 (RFC 9562, section 5.8): each delivery tells the same id, that of the
 * row that stands. It is never the fingerprint: an id that is one says that the event is new.
 *
 * These bytes are part of the promise: another layout would let events through
 * twice that were sent before and after an upgrade.
 */
#ifndef EVENT_FINGERPRINT_H
#define EVENT_FINGERPRINT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/uuid.h"

/* Of plain JSON that carries an id. time: the row's, CLOCK_UNSET when it has none.
 * ERR_NOMEM. */
enum err fingerprint_event(struct sha256 *, struct slice key, struct slice source, struct slice id,
			   struct slice payload, int64_t time, struct uuid *out) MUST_CHECK;
/* Of event `index` of a request that names itself, and the id that it has without one of its own.
 * ERR_NOMEM. */
enum err fingerprint_request(struct sha256 *, struct slice key, struct slice idempotency_key,
			     size_t index, struct uuid *out, struct uuid *id) MUST_CHECK;

#endif
