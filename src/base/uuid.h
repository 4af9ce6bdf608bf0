/*
 * UUIDs as 16 bytes in network order (RFC 9562). Version 7 carries the time, so
 * ids made one after another sort in that order and an index grows at its end.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT	37	/* with the NUL */

struct uuid { uint8_t b[16]; };

/*
 * Source of version 7 ids, one for each process: it must be initialised after
 * fork, or two processes would draw the same ids. Ids of one source grow
 * strictly, even when the clock steps back (RFC 9562 section 6.2, method 3: the
 * 12 bits after the milliseconds are a fraction of the millisecond).
 */
struct uuid_source {
	uint64_t last;		/* time << 12 | fraction of the newest id */
	size_t left;		/* random bytes not used yet */
	uint8_t random[4096];
};
void uuid_source_init(struct uuid_source *);
/* now: microseconds since 1970. */
struct uuid uuid_v7(struct uuid_source *, int64_t now_us);

/* 122 of the bits of a hash, under the marks of version 8: the same bytes, the same id. */
struct uuid uuid_v8(const uint8_t bytes[16]);

/* The time that a version 7 id carries, in microseconds since 1970, to the
 * millisecond; 0 for other versions. */
int64_t uuid_time(struct uuid);

/* "01934b1e-...", lower case, in the caller's UUID_TEXT bytes; returns out. */
const char *uuid_text(struct uuid, char out[UUID_TEXT]);
/* Takes the 36-character form in either case. */
bool uuid_parse(const char *s, size_t n, struct uuid *);

#endif
