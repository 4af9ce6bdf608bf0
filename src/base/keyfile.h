/*
 * The file of write keys: who may send, under which name, from where.
 *
 * One key a line, `#` begins a comment:
 *
 *	<SHA-256 of the key, 64 hex digits> <name> <source> [<origin>,<origin>...]
 *
 * The key itself stands nowhere. Several lines may have one name and source: keys that
 * all work, as while one is replaced. A name belongs to one source, for a client's
 * retry is known by it. Origins, when given, are the only ones a browser may send from.
 * Names and sources are UTF-8 without white space, of at most 128 bytes. Every line
 * ends with a line end; one that does not was cut.
 */
#ifndef BASE_KEYFILE_H
#define BASE_KEYFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sha256.h"

#define KEY_NAME_MAX	128

struct key {
	uint8_t digest[SHA256_BYTES];
	char *name, *source;
	char *origins;		/* comma-separated, or NULL: any */
};

struct keyfile {
	struct key *key;	/* sorted by digest */
	size_t n, room;
};

/*
 * Reads it into *out, which keyfile_free() empties. On an error *out is empty, and
 * errmsg (256 bytes) says "file:line: what". ERR_DOWN: no file, or no key in it;
 * ERR_INVALID: it is not one; ERR_IO, ERR_NOMEM: it cannot be read now.
 */
enum err keyfile_read(struct keyfile *out, const char *path, char errmsg[256]) MUST_CHECK;
void keyfile_free(struct keyfile *);

/* The key of this digest, or NULL. */
const struct key *keyfile_find(const struct keyfile *, const uint8_t digest[SHA256_BYTES]);
/* The first key of this name, or NULL. */
const struct key *keyfile_named(const struct keyfile *, const char *name);

/* Who changes the file holds this lock from reading it to the end, on its directory;
 * *fd is closed to let go. Waits for others. ERR_IO with errno. */
enum err keyfile_lock(const char *path, int *fd) MUST_CHECK;
/* Adds a line, which has no line end, and makes the file when there is none. Readers see
 * the file of before or the whole new one, also after a power cut. ERR_IO with errno. */
enum err keyfile_add(const char *path, const char *line) MUST_CHECK;

#endif
