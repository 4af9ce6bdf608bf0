/*
 * The decoder from inside, for its three files: decode.c tells bodies apart and
 * walks them, sax.c reads values by yajl, accept.c makes of a value a row or a
 * refusal.
 */
#ifndef EVENT_DECODER_H
#define EVENT_DECODER_H

#include <yajl/yajl_parse.h>

#include "base/sha256.h"
#include "event/attribute.h"
#include "event/decode.h"
#include "event/pool.h"

#define UUID_CHARS	(UUID_TEXT - 1)
#define NOWHERE		SIZE_MAX

/* A byte that was looked for: the first at or behind `from` stands at `at`, or is none. */
struct sought { size_t from, at; };

struct decoder {
	struct limits limits;
	struct pool pool;	/* all memory of yajl */
	yajl_handle yajl;	/* NULL: to be made; an error leaves it unusable */
	struct sha256 *sha256;
	struct buf text;	/* decoded attributes and made ids; never moves in a request */
	size_t cap_rows;
	struct decoded out;

	/* the request */
	const struct decode_request *req;
	struct slice body;
	char line_mark;		/* what ends a line: '\n', or a record separator */
	struct sought next_mark, next_vt, next_ff;
	enum err err;
	size_t n_events;	/* seen, refused ones counted */

	/* the parse; offsets are in body */
	size_t base;		/* where the bytes given to yajl begin */
	size_t depth;		/* open brackets */
	size_t top;		/* open brackets around an event: 1 in an array, else 0 */
	size_t n_values;	/* complete, at the top */
	size_t stopped;		/* where a callback stopped the parse, or NOWHERE */

	/* the value at the top that is being read, or was read last */
	size_t begin, end;
	enum refusal bad;
	size_t bad_at;
	size_t member[ATTR_COUNT];	/* where the attribute's key ended, or NOWHERE */
};

/* accept.c: the value at the top, which is complete or refused already, becomes a
 * row or an error of the request. False: the request ends here. */
bool accept_event(struct decoder *);
/* The first reason counts. */
void accept_refuse(struct decoder *, enum refusal, size_t at);
bool accept_refuse_whole(struct decoder *, enum refusal, size_t at);	/* false */

/* sax.c: where byte c stands in the body at or behind `from`, or the body's end. The whole body
 * is searched once, however many parts a line has that are read one by one. */
size_t sax_find(const struct decoder *, struct sought *, char c, size_t from);
/* Forgets the value before; the next begins at `at`, under `top` brackets. */
void sax_start(struct decoder *, size_t at, size_t top);
/* Parses body[from, to), which ends with a line or with the body, so that no token
 * is cut. Values at the top become events as they end. False: it breaks at *at, or
 * the request ends here. */
bool sax_feed(struct decoder *, size_t from, size_t to, size_t *at);
void sax_drop(struct decoder *);	/* after a value that is not complete */
size_t sax_skip_space(const struct decoder *, size_t at);

#endif
