#include "collect/recent.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/file.h"

#define FILE_NAME	"requests.1"	/* the number changes with the layout */
#define SETS		65536
#define WAYS		4		/* the newest first */

struct entry { uint64_t mixed, body; };	/* mixed: name ^ body */

struct recent {
	struct entry (*sets)[WAYS];
	struct recent_request noted[RECENT_NOTED];
	size_t n_noted;
};

enum err
recent_open(struct recent **out, const char *dir)
{
	struct recent *r = calloc(1, sizeof *r);
	char path[1024];
	enum err e;

	*out = NULL;
	if (!r)
		return ERR_NOMEM;
	snprintf(path, sizeof path, "%s/" FILE_NAME, dir);
	e = file_map(path, sizeof(struct entry[SETS][WAYS]), FILE_MAP_MAKE, (void **)&r->sets);
	if (e == ERR_OK)
		*out = r;
	else
		free(r);
	return e;
}

void
recent_close(struct recent **rp)
{
	if (!*rp)
		return;
	munmap((*rp)->sets, sizeof(struct entry[SETS][WAYS]));
	free(*rp);
	*rp = NULL;
}

static uint64_t
word(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

enum err
recent_name(struct sha256 *sha, int64_t day, struct slice key, struct slice idempotency_key,
	    struct slice body, struct recent_request *out)
{
	uint8_t sum[SHA256_BYTES];
	enum err e;

	sha256_begin(sha);
	sha256_put_field(sha, (struct slice){ (const char *)&day, sizeof day });
	sha256_put_field(sha, key);
	sha256_put_field(sha, idempotency_key);
	e = sha256_end(sha, sum);
	if (e != ERR_OK)
		return e;
	out->set = word(sum) % SETS;
	out->name = word(sum + 8);
	sha256_begin(sha);
	sha256_put(sha, body);
	e = sha256_end(sha, sum);
	out->body = word(sum);
	return e;
}

static uint64_t
load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void
store(struct entry *e, uint64_t mixed, uint64_t body)
{
	__atomic_store_n(&e->mixed, mixed, __ATOMIC_RELAXED);
	__atomic_store_n(&e->body, body, __ATOMIC_RELAXED);
}

/* Two bodies that came in the same moment are both there: each is the same as itself. */
enum recent_found
recent_look(const struct recent *r, const struct recent_request *q)
{
	const struct entry *set = r->sets[q->set];
	enum recent_found found = RECENT_NEW;
	uint64_t body;
	int i;

	for (i = 0; i < WAYS && found != RECENT_SAME; i++) {
		body = load(&set[i].body);
		if ((load(&set[i].mixed) ^ body) == q->name)
			found = body == q->body ? RECENT_SAME : RECENT_OTHER;
	}
	return found;
}

void
recent_note(struct recent *r, const struct recent_request *q)
{
	if (r->n_noted < RECENT_NOTED)
		r->noted[r->n_noted++] = *q;
}

static void
put(struct recent *r, const struct recent_request *q)
{
	struct entry *set = r->sets[q->set];
	int i;

	if (recent_look(r, q) == RECENT_SAME)	/* twice in one turn */
		return;
	for (i = WAYS - 1; i > 0; i--)
		store(&set[i], load(&set[i - 1].mixed), load(&set[i - 1].body));
	store(&set[0], q->name ^ q->body, q->body);
}

void
recent_end_turn(struct recent *r, bool stored)
{
	size_t i;

	for (i = 0; stored && i < r->n_noted; i++)
		put(r, &r->noted[i]);
	r->n_noted = 0;
}
