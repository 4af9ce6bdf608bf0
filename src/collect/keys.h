/*
 * Write keys: who may send, under which name, from where.
 *
 * The file has one key a line, `#` begins a comment:
 *
 *	<SHA-256 of the key, 64 hex digits> <name> <source> [<origin>,<origin>...]
 *
 * The key itself stands nowhere. Two lines with one source are two keys that both
 * work: rotation. Origins, when given, are the only ones a browser may send from.
 * Names and sources are UTF-8 without white space, of at most 128 bytes.
 */
#ifndef COLLECT_KEYS_H
#define COLLECT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "event/refusal.h"

struct key {
	uint8_t digest[SHA256_BYTES];
	char *name, *source;
	char *origins;		/* comma-separated, or NULL: any */
};

struct keys;

/* Reads the file. ERR_INVALID: errmsg (256 bytes) says "file:line: what". */
enum err keys_load(struct keys **, const char *path, char errmsg[256]) MUST_CHECK;
void keys_free(struct keys **);

/* Has the file changed since it was read, or gone? (stat) */
bool keys_stale(const struct keys *);

/* What a request shows: header values, or NULL slices. */
struct credentials { struct slice authorization, x_api_key, query, origin; };

/*
 * Finds the key of a request: Authorization (Bearer, or Basic with the key as
 * user), x-api-key, `key` in the query string, in this order; the first that is there counts. REFUSE_NONE and *out, which lives until keys_free();
 * REFUSE_UNAUTHORIZED: none, or unknown; REFUSE_FORBIDDEN: not from this origin.
 */
enum refusal keys_check(const struct keys *, struct sha256 *, const struct credentials *,
			const struct key **out);

#endif
