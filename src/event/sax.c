#include "event/decoder.h"
#include "event/validate.h"

#define HOPELESS_DEPTH	1000	/* no limit is so high, and the rest is not worth the time */

size_t
sax_skip_space(const struct decoder *d, size_t at)
{
	const char *p = d->body.p;

	while (at < d->body.n && (p[at] == ' ' || p[at] == '\n' || p[at] == '\r' || p[at] == '\t'))
		at++;
	return at;
}

size_t
sax_find(const struct decoder *d, struct sought *s, char c, size_t from)
{
	const char *p;

	if (from < s->from || from > s->at) {
		p = memchr(d->body.p + from, c, d->body.n - from);
		*s = (struct sought){ from, p ? (size_t)(p - d->body.p) : d->body.n };
	}
	return s->at;
}

/* Up to where body[from, to) has no byte that yajl takes for white space and JSON does not. */
static size_t
proper_end(struct decoder *d, size_t from, size_t to)
{
	size_t vt = sax_find(d, &d->next_vt, '\v', from), ff = sax_find(d, &d->next_ff, '\f', from);

	if (vt < to)
		to = vt;
	return ff < to ? ff : to;
}

static size_t
here(const struct decoder *d)
{
	return d->base + yajl_get_bytes_consumed(d->yajl);
}

/* A value begins at the top. Outside an array only objects may stand behind another. */
static int
begin_value(struct decoder *d)
{
	size_t i, at = sax_skip_space(d, d->end);

	if (d->top > 0 && at < d->body.n && d->body.p[at] == ',')
		at = sax_skip_space(d, at + 1);
	if (d->depth < d->top || (d->top == 0 && d->n_values > 0 && d->body.p[at] != '{')) {
		d->stopped = at;
		return 0;
	}
	d->begin = at;
	d->bad = REFUSE_NONE;
	for (i = 0; i < ATTR_COUNT; i++)
		d->member[i] = NOWHERE;
	return 1;
}

static int
end_value(struct decoder *d)
{
	d->end = here(d);
	d->n_values++;
	return accept_event(d);
}

static int
scalar(struct decoder *d)
{
	if (d->depth > d->top)
		return 1;
	if (!begin_value(d))
		return 0;
	accept_refuse(d, REFUSE_NOT_AN_OBJECT, d->begin);
	return end_value(d);
}

static int
open_bracket(struct decoder *d, bool map)
{
	if (d->depth <= d->top) {
		if (!begin_value(d))
			return 0;
		if (!map)
			accept_refuse(d, REFUSE_NOT_AN_OBJECT, d->begin);
	}
	d->depth++;
	if (d->depth - d->top > HOPELESS_DEPTH)
		return accept_refuse_whole(d, REFUSE_TOO_DEEP, here(d) - 1);
	if (d->depth - d->top > d->limits.depth)
		accept_refuse(d, REFUSE_TOO_DEEP, here(d) - 1);
	return 1;
}

static int
close_bracket(struct decoder *d)
{
	d->depth--;
	if (d->depth == d->top)
		return end_value(d);
	if (d->depth < d->top)
		d->end = here(d);	/* of the whole array */
	return 1;
}

static int
on_null(void *ctx)
{
	return scalar(ctx);
}

static int
on_boolean(void *ctx, int b)
{
	(void)b;
	return scalar(ctx);
}

static int
on_string(void *ctx, const unsigned char *s, size_t n)
{
	(void)s;
	(void)n;
	return scalar(ctx);
}

static int
on_number(void *ctx, const char *s, size_t n)
{
	struct decoder *d = ctx;

	if (d->depth > d->top && !validate_number((struct slice){ s, n }))
		accept_refuse(d, REFUSE_NUMBER_RANGE, here(d) - n);
	return scalar(d);
}

static int
on_start_map(void *ctx)
{
	return open_bracket(ctx, true);
}

static int
on_map_key(void *ctx, const unsigned char *s, size_t n)
{
	struct decoder *d = ctx;
	enum attribute a;

	if (d->depth == d->top + 1) {
		a = attribute_of((const char *)s, n);
		if (a < ATTR_COUNT)
			d->member[a] = here(d);	/* the last one wins, as in jsonb */
	}
	return 1;
}

static int
on_start_array(void *ctx)
{
	struct decoder *d = ctx;

	/* the array that holds the events */
	if (d->top == 1 && d->depth == 0 && d->n_values == 0 && d->end == d->begin) {
		d->depth = 1;
		d->end = here(d);
		return 1;
	}
	return open_bracket(d, false);
}

static int
on_end(void *ctx)
{
	return close_bracket(ctx);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null, .yajl_boolean = on_boolean, .yajl_number = on_number,
	.yajl_string = on_string, .yajl_start_map = on_start_map, .yajl_map_key = on_map_key,
	.yajl_end_map = on_end, .yajl_start_array = on_start_array, .yajl_end_array = on_end,
};

void
sax_drop(struct decoder *d)
{
	/* its memory is the pool's, all of it */
	d->yajl = NULL;
	pool_reset(&d->pool);
}

static void
make_yajl(struct decoder *d)
{
	yajl_alloc_funcs funcs = { pool_malloc, pool_realloc, pool_free, &d->pool };

	d->yajl = yajl_alloc(&callbacks, &funcs, d);
	yajl_config(d->yajl, yajl_dont_validate_strings, 1);
	yajl_config(d->yajl, yajl_allow_multiple_values, 1);
}

bool
sax_feed(struct decoder *d, size_t from, size_t to, size_t *at)
{
	const unsigned char *p = (const unsigned char *)d->body.p + from;
	size_t n = proper_end(d, from, to) - from;
	yajl_status s;

	if (!d->yajl)
		make_yajl(d);
	d->base = from;
	d->stopped = NOWHERE;
	s = yajl_parse(d->yajl, p, n);
	if (s == yajl_status_ok && from + n == to && (n == 0 || p[n - 1] != '\n')) {
		d->base = to;		/* a number ends where something follows */
		s = yajl_parse(d->yajl, (const unsigned char *)" ", 1);
	}
	if (s == yajl_status_ok && from + n == to)
		return true;
	/* yajl has gone past the token that it does not take */
	*at = here(d) - (here(d) > from);
	if (s == yajl_status_ok)
		*at = from + n;
	else if (d->stopped != NOWHERE)
		*at = d->stopped;
	sax_drop(d);
	return false;
}

void
sax_start(struct decoder *d, size_t at, size_t top)
{
	d->begin = d->end = at;
	d->top = top;
	d->depth = 0;
	d->n_values = 0;
	d->bad = REFUSE_NONE;
}
