/*
 * Requests of this node that named themselves: which body came by which
 * Idempotency-Key. So that a key that is used for another body is told so, which
 * afterwards only PostgreSQL could find.
 *
 * A table of a fixed size in run.dir, which all workers share and which outlives
 * them: the newest 200,000 or so, of this UTC day, for fingerprints hold for a day.
 * What it has forgotten it takes for new. No locks: an entry is two words, one mixed
 * into the other, so that one that was written half matches nothing. What is not
 * stored yet is not known, so of two requests in the same moment each may be new, and
 * who is refused is told so of a body that stands.
 */
#ifndef COLLECT_RECENT_H
#define COLLECT_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"

#define RECENT_NOTED	512	/* requests of a turn */

struct recent;

/* One request: what it is called and what it holds, as parts of SHA-256. */
struct recent_request { uint64_t set, name, body; };

enum recent_found { RECENT_NEW, RECENT_SAME, RECENT_OTHER };

/* Maps DIR's table, or makes one. ERR_IO with errno: neither can be done. */
enum err recent_open(struct recent **, const char *dir) MUST_CHECK;
void recent_close(struct recent **);

/* day: since 1970, UTC; key: the write key's name; body: as JSON text. ERR_NOMEM. */
enum err recent_name(struct sha256 *, int64_t day, struct slice key, struct slice idempotency_key,
		     struct slice body, struct recent_request *out) MUST_CHECK;
enum recent_found recent_look(const struct recent *, const struct recent_request *);
/* Notes a request that is new until its turn has ended. Beyond RECENT_NOTED of a turn it is
 * forgotten. */
void recent_note(struct recent *, const struct recent_request *);
/* stored: what was noted is known from now on, else it never came: a client that was told
 * "unknown" may send something else. */
void recent_end_turn(struct recent *, bool stored);

#endif
