/*
 * Write keys in force: a file (base/keyfile.h) that is read anew when it changes. One
 * that cannot be read, or has no key in it, leaves those in force, and is an alarm.
 */
#ifndef COLLECT_KEYS_H
#define COLLECT_KEYS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/keyfile.h"
#include "base/sha256.h"
#include "event/refusal.h"

struct keys;

/* Reads the file for the first time; errors as keyfile_read() has them. */
enum err keys_open(struct keys **, const char *path, char errmsg[256]) MUST_CHECK;
void keys_close(struct keys **);

/* Reads the file anew if it has changed (stat), or logs why it is refused. True: other
 * keys are in force now, and every struct key of before is gone. */
bool keys_refresh(struct keys *);
/* Is the file as it stands refused? */
bool keys_refused(const struct keys *);

/* What a request shows: header values, or NULL slices. */
struct credentials { struct slice authorization, x_api_key, query, origin; };

/*
 * Finds the key of a request: Authorization (Bearer, or Basic with the key as
 * user), x-api-key, `key` in the query string, in this order; the first that is there
 * counts. REFUSE_NONE and *out, which lives until the next call of keys_check() or
 * keys_refresh(); REFUSE_UNAUTHORIZED: none, or unknown, also to the file as it stands
 * now: a key is good from the moment that it stands there. REFUSE_FORBIDDEN: not from
 * this origin.
 */
enum refusal keys_check(struct keys *, struct sha256 *, const struct credentials *,
			const struct key **out);

#endif
