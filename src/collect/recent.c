#include "collect/recent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_NAME	"requests.1"	/* the number changes with the layout */
#define SETS		65536
#define WAYS		4		/* the newest first */

struct entry { uint64_t mixed, body; };	/* mixed: name ^ body */

struct recent { struct entry (*sets)[WAYS]; };

enum err
recent_open(struct recent **out, const char *dir)
{
	const size_t size = sizeof(struct entry[SETS][WAYS]);
	struct recent *r = calloc(1, sizeof *r);
	char path[1024];
	void *p;
	int fd;

	*out = NULL;
	snprintf(path, sizeof path, "%s/" FILE_NAME, dir);
	fd = r ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640) : -1;
	if (fd < 0) {
		free(r);
		return ERR_IO;
	}
	/* with its space: a page that cannot be had would end the worker later */
	errno = posix_fallocate(fd, 0, (off_t)size);
	p = errno == 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	close(fd);
	if (p == MAP_FAILED) {
		free(r);
		return ERR_IO;
	}
	r->sets = p;
	*out = r;
	return ERR_OK;
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

enum recent_found
recent_look(const struct recent *r, const struct recent_request *q)
{
	const struct entry *set = r->sets[q->set];
	uint64_t body;
	int i;

	for (i = 0; i < WAYS; i++) {
		body = load(&set[i].body);
		if ((load(&set[i].mixed) ^ body) == q->name)
			return body == q->body ? RECENT_SAME : RECENT_OTHER;
	}
	return RECENT_NEW;
}

void
recent_put(struct recent *r, const struct recent_request *q)
{
	struct entry *set = r->sets[q->set];
	int i;

	for (i = WAYS - 1; i > 0; i--)
		store(&set[i], load(&set[i - 1].mixed), load(&set[i - 1].body));
	store(&set[0], q->name ^ q->body, q->body);
}
