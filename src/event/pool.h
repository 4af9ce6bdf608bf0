/*
 * Memory for yajl. yajl writes through the result of an allocation without a look
 * at it, so no allocation of its own may fail: everything that a parse can ask for
 * is reserved before it begins, where running out of memory is still an answer.
 *
 * What a parse of n bytes can ask for is known. Three buffers grow, each by
 * doubling: the stack of open brackets (a byte for each byte of input at most),
 * the text of an escaped string, and a token that the input's end cuts short
 * (twice the input each). With the smaller blocks they leave behind that is twelve
 * times the input; of that only the pages that are written take memory.
 *
 * A pool serves one yajl handle. Memory comes back by pool_reset() only, which
 * also ends the handle.
 */
#ifndef EVENT_POOL_H
#define EVENT_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct pool {
	char *p;		/* owned */
	size_t used, cap;
	size_t input;		/* longest input that the pool suffices for */
};

/* Makes the pool suffice for n bytes of input. *moved: what came from the pool
 * before is gone. ERR_NOMEM. */
enum err pool_reserve(struct pool *, size_t n, bool *moved) MUST_CHECK;
void pool_reset(struct pool *);
void pool_fini(struct pool *);

/* In the form of yajl_alloc_funcs; the pool is ctx. They never return NULL. */
void *pool_malloc(void *pool, size_t);
void *pool_realloc(void *pool, void *, size_t);
void pool_free(void *pool, void *);

#endif
