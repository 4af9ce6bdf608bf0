#include "event/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define POOL_INPUT_MIN	16384
#define POOL_FIXED	32768	/* handle, lexer, first blocks, headers */

/* In front of every block; keeps what follows aligned for any type. */
struct block { size_t cap; size_t pad; };

enum err
pool_reserve(struct pool *o, size_t n, bool *moved)
{
	size_t input = POOL_INPUT_MIN;
	char *p;

	*moved = false;
	if (n <= o->input)
		return ERR_OK;
	if (n > SIZE_MAX / 64)
		return ERR_NOMEM;
	while (input < n)
		input *= 2;
	p = malloc(12 * input + POOL_FIXED);
	if (!p)
		return ERR_NOMEM;
	free(o->p);
	*o = (struct pool){ .p = p, .cap = 12 * input + POOL_FIXED, .input = input };
	*moved = true;
	return ERR_OK;
}

void
pool_reset(struct pool *o)
{
	o->used = 0;
}

void
pool_fini(struct pool *o)
{
	free(o->p);
	*o = (struct pool){ 0 };
}

void *
pool_malloc(void *pool, size_t n)
{
	struct pool *o = pool;
	struct block *b;
	size_t cap = 64;

	while (cap < n)
		cap *= 2;
	CHECK(cap + sizeof *b <= o->cap - o->used);
	b = (void *)(o->p + o->used);
	b->cap = cap;
	o->used += sizeof *b + cap;
	return b + 1;
}

void *
pool_realloc(void *pool, void *old, size_t n)
{
	size_t cap = old ? ((struct block *)old - 1)->cap : 0;
	void *p;

	if (n <= cap)
		return old;
	p = pool_malloc(pool, n);
	if (old)
		memcpy(p, old, cap);
	return p;
}

void
pool_free(void *pool, void *p)
{
	(void)pool;
	(void)p;
}
