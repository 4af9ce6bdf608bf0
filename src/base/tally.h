/*
 * What each write key did on this node: counts, and how much of its share of
 * something it has used up. A table of a fixed size in run.dir, which all workers
 * share and which outlives them. Keys beyond the first 4,000 or so have one entry
 * together, named "...". Each word is changed atomically; there are no locks.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/keyfile.h"

#define TALLY_KEYS	4096

struct tally_entry {
	uint32_t state;			/* enum in tally.c */
	char name[KEY_NAME_MAX + 4];	/* with the NUL */
	uint64_t times_unread;		/* events whose time could not be read */
	uint64_t events;		/* tally_owed(): of collect.key_events_per_s */
	uint64_t rejections;		/* tally_owed(): of what may be kept */
};

struct tally { struct tally_entry *entries; };

/* Maps DIR's table, or makes one. ERR_IO with errno. */
enum err tally_open(struct tally *, const char *dir) MUST_CHECK;
/* For reading alone. ERR_DOWN: there is none. */
enum err tally_read(struct tally *, const char *dir) MUST_CHECK;
void tally_close(struct tally *);

/* The key's entry, made when it has none; it stays where it is. NULL: there is no room. */
struct tally_entry *tally_own(struct tally *, struct slice name);
/* The same; where there is no room, that of the rest. */
struct tally_entry *tally_of(struct tally *, struct slice name);
/* The next entry that has a name, from *i on, which moves; NULL: no more. */
const struct tally_entry *tally_next(const struct tally *, size_t *i);

void tally_add(uint64_t *count, uint64_t n);

/*
 * A share of something by the second: a word holds until when what was used will have
 * been made good (CLOCK_MONOTONIC, microseconds). tally_owed() says how long that is
 * from now, and that is at most `most`; what is far over it is of another boot, and nothing
 * is owed. tally_use() adds to it, and forgives what would be over it.
 */
int64_t tally_owed(const uint64_t *share, int64_t now_us, int64_t most);
void tally_use(uint64_t *share, int64_t now_us, int64_t us, int64_t most);

#endif
