#include "base/tally.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/file.h"

#define FILE_NAME	"by-key.1"	/* the number changes with the layout */
#define SIZE		(sizeof(struct tally_entry) * (TALLY_KEYS + 1))
#define PROBES		64
#define NAMING_YIELDS	100
#define REST		TALLY_KEYS	/* the entry of all who found no other */

enum state { FREE, BEING_NAMED, NAMED };

static enum err
map(struct tally *t, const char *dir, enum file_map_mode mode)
{
	char path[1024];

	snprintf(path, sizeof path, "%s/" FILE_NAME, dir);
	return file_map(path, SIZE, mode, (void **)&t->entries);
}

enum err
tally_open(struct tally *t, const char *dir)
{
	struct tally_entry *rest;
	enum err e = map(t, dir, FILE_MAP_MAKE);

	if (e != ERR_OK)
		return e;
	rest = &t->entries[REST];
	memcpy(rest->name, "...", 4);
	__atomic_store_n(&rest->state, NAMED, __ATOMIC_RELEASE);
	return ERR_OK;
}

enum err
tally_read(struct tally *t, const char *dir)
{
	return map(t, dir, FILE_MAP_READ);
}

void
tally_close(struct tally *t)
{
	if (t->entries)
		munmap(t->entries, SIZE);
	t->entries = NULL;
}

static size_t
place(struct slice name)
{
	uint64_t h = 14695981039346656037U;
	size_t i;

	for (i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 1099511628211U;
	return (size_t)(h % TALLY_KEYS);
}

/* Takes a free entry. One that was given up while it was named stays unused. */
static bool
take(struct tally_entry *e, struct slice name)
{
	uint32_t was = FREE;

	if (!__atomic_compare_exchange_n(&e->state, &was, BEING_NAMED, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	memcpy(e->name, name.p, name.n);
	__atomic_store_n(&e->state, NAMED, __ATOMIC_RELEASE);
	return true;
}

/* Is it named? Who is just naming it is waited for, or a key that two workers meet in the
 * same moment would have two entries; but not for long: he may have been killed there. */
static bool
is_named(const struct tally_entry *e)
{
	uint32_t state;
	int i;

	for (i = 0; (state = __atomic_load_n(&e->state, __ATOMIC_ACQUIRE)) == BEING_NAMED && i < NAMING_YIELDS; i++)
		sched_yield();
	return state == NAMED;
}

struct tally_entry *
tally_own(struct tally *t, struct slice name)
{
	size_t at = place(name), i;
	struct tally_entry *e;

	for (i = 0; i < PROBES && name.n <= KEY_NAME_MAX; i++) {
		e = &t->entries[(at + i) % TALLY_KEYS];
		if (__atomic_load_n(&e->state, __ATOMIC_ACQUIRE) == FREE && take(e, name))
			return e;
		if (is_named(e) && slice_is(name, e->name))
			return e;
	}
	return NULL;
}

struct tally_entry *
tally_of(struct tally *t, struct slice name)
{
	struct tally_entry *e = tally_own(t, name);

	return e ? e : &t->entries[REST];
}

const struct tally_entry *
tally_next(const struct tally *t, size_t *i)
{
	const struct tally_entry *e;

	while (*i <= TALLY_KEYS) {
		e = &t->entries[(*i)++];
		if (__atomic_load_n(&e->state, __ATOMIC_ACQUIRE) == NAMED)
			return e;
	}
	return NULL;
}

void
tally_add(uint64_t *count, uint64_t n)
{
	__atomic_fetch_add(count, n, __ATOMIC_RELAXED);
}

static int64_t
owed(uint64_t until, int64_t now_us, int64_t most)
{
	int64_t us = (int64_t)until - now_us;

	if (us < 0 || us > 2 * most)
		return 0;
	return us < most ? us : most;	/* somebody's clock was read before another's */
}

int64_t
tally_owed(const uint64_t *share, int64_t now_us, int64_t most)
{
	return owed(__atomic_load_n(share, __ATOMIC_RELAXED), now_us, most);
}

void
tally_use(uint64_t *share, int64_t now_us, int64_t us, int64_t most)
{
	uint64_t was = __atomic_load_n(share, __ATOMIC_RELAXED);
	int64_t then;

	do {
		then = owed(was, now_us, most) + us;
		if (then > most)	/* several who were let in at the same moment */
			then = most;
	} while (!__atomic_compare_exchange_n(share, &was, (uint64_t)(now_us + then), true, __ATOMIC_RELAXED,
	    __ATOMIC_RELAXED));
}
