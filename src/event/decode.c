/*
 * How a body is told apart, by its content alone. A byte order mark and white
 * space in front are skipped; white space is what JSON takes for it.
 *
 * Nothing left		the whole body is refused (empty_body).
 * '['			one array, and nothing behind it. Its elements are the events.
 * '{'			read up to where the first value ends or breaks:
 *	it ends, nothing behind it		one object
 *	it ends on the first line, and more
 *	  follows on later lines only		NDJSON
 *	it breaks on the first line, or right
 *	  at the '{' that begins the next,
 *	  and the next line begins with '{'	NDJSON with a bad first line
 * any other		the whole body is refused (invalid_json; not_an_object where
 *			some other JSON value may begin).
 *
 * An object or an array may span lines; a syntax error anywhere in it refuses the
 * whole body. In NDJSON each line stands alone: it holds one value or it is
 * refused, whatever the lines around it hold. Empty lines are skipped; lines are
 * not numbered, events are. "The first line" and "the next" are lines that are
 * not empty.
 */
#include "event/decode.h"

#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "event/attribute.h"
#include "event/fingerprint.h"
#include "event/pool.h"
#include "event/validate.h"

#define UUID_CHARS	(UUID_TEXT - 1)
#define NOWHERE		SIZE_MAX

struct decoder {
	struct limits limits;
	struct pool pool;
	yajl_handle yajl;	/* NULL: to be made; an error leaves it unusable */
	struct sha256 *sha256;
	struct buf text;	/* decoded attributes and made ids; never moves in a request */
	size_t cap_rows;
	struct decoded out;

	/* the request */
	const struct decode_request *req;
	struct slice body;
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

/* --- one event ----------------------------------------------------------------- */

static void
refuse(struct decoder *d, enum refusal why, size_t at)
{
	if (d->bad != REFUSE_NONE)
		return;
	d->bad = why;
	d->bad_at = at < d->body.n ? at : d->body.n;
}

static bool
refuse_whole(struct decoder *d, enum refusal why, size_t at)
{
	d->out.whole = why;
	d->out.whole_offset = at < d->body.n ? at : d->body.n;
	return false;
}

static struct row *
new_row(struct decoder *d)
{
	size_t cap = d->cap_rows ? 2 * d->cap_rows : 64;
	struct row *rows;

	if (d->out.n_rows == d->cap_rows) {
		rows = realloc(d->out.rows, cap * sizeof *rows);
		if (!rows)
			return NULL;
		d->out.rows = rows;
		d->cap_rows = cap;
	}
	return &d->out.rows[d->out.n_rows];
}

static struct slice
value_slice(const struct decoder *d)
{
	return (struct slice){ d->body.p + d->begin, d->end - d->begin };
}

static void
read_attribute(struct decoder *d, enum attribute a, struct slice *out)
{
	size_t at = d->member[a];
	struct slice rest;
	enum refusal why;

	*out = (struct slice){ 0 };
	if (at == NOWHERE)
		return;
	rest = (struct slice){ d->body.p + at, d->end - at };
	why = attribute_value(rest, a == ATTR_ID, &d->text, out);
	/* a time that is too long is a time that cannot be parsed */
	if (why != REFUSE_NONE && a == ATTR_TIME)
		*out = (struct slice){ 0 };
	else if (why != REFUSE_NONE)
		refuse(d, why, at);
}

static void
make_id(struct decoder *d, struct row *r)
{
	char text[UUID_TEXT], *p = buf_room(&d->text, UUID_CHARS);

	CHECK(p);
	r->fingerprint = uuid_v7(d->req->ids, d->req->received_at);
	memcpy(p, uuid_text(r->fingerprint, text), UUID_CHARS);
	d->text.n += UUID_CHARS;
	r->id = (struct slice){ p, UUID_CHARS };
}

static enum err
fill_row(struct decoder *d, struct row *r)
{
	struct slice time;

	*r = (struct row){
		.kind = ROW_EVENT, .received_at = d->req->received_at, .time = CLOCK_UNSET,
		.key = d->req->key, .source = d->req->source, .payload = value_slice(d),
		.context = d->req->context,
	};
	read_attribute(d, ATTR_ID, &r->id);
	read_attribute(d, ATTR_TYPE, &r->type);
	read_attribute(d, ATTR_SUBJECT, &r->subject);
	read_attribute(d, ATTR_TIME, &time);
	if (!r->source.p)
		read_attribute(d, ATTR_SOURCE, &r->source);
	if (time.p)
		r->time = clock_parse(time.p, time.n);
	if (d->bad != REFUSE_NONE)
		return ERR_OK;
	if (r->id.n == 0)
		make_id(d, r);
	else if (!d->req->idempotency_key.p)
		return fingerprint_event(d->sha256, r->key, r->source, r->id, r->payload,
		    &r->fingerprint);
	if (d->req->idempotency_key.p)
		return fingerprint_request(d->sha256, r->key, d->req->idempotency_key,
		    d->n_events - 1, &r->fingerprint);
	return ERR_OK;
}

static void
judge(struct decoder *d)
{
	struct slice s = value_slice(d);
	enum refusal why;
	size_t at;

	if (d->bad == REFUSE_NONE && s.n > d->limits.event_bytes)
		refuse(d, REFUSE_EVENT_TOO_LARGE, d->begin);
	if (d->bad != REFUSE_NONE)
		return;
	why = validate_text(s, &at);
	if (why != REFUSE_NONE)
		refuse(d, why, d->begin + at);
}

/* The value at the top is complete, or refused: a row or an error of the request.
 * False: the request ends here. */
static bool
finish_event(struct decoder *d)
{
	struct row *r;

	if (d->n_events == d->limits.events)
		return refuse_whole(d, REFUSE_TOO_MANY_EVENTS, d->begin);
	d->n_events++;
	judge(d);
	if (d->bad == REFUSE_NONE) {
		r = new_row(d);
		d->err = r ? fill_row(d, r) : ERR_NOMEM;
	}
	if (d->bad == REFUSE_NONE)
		d->out.n_rows++;
	else if (d->out.n_refused++ < DECODE_ERRORS_MAX)
		d->out.errors[d->out.n_refused - 1] = (struct refused){
			.index = d->n_events - 1, .code = d->bad, .offset = d->bad_at,
			.raw = value_slice(d),
		};
	return d->err == ERR_OK;
}

/* --- what yajl calls ------------------------------------------------------------ */

static size_t
skip_space(const struct decoder *d, size_t at)
{
	const char *p = d->body.p;

	while (at < d->body.n && (p[at] == ' ' || p[at] == '\n' || p[at] == '\r' || p[at] == '\t'))
		at++;
	return at;
}

static size_t
here(const struct decoder *d)
{
	return d->base + yajl_get_bytes_consumed(d->yajl);
}

/* A value begins at the top. Outside an array there is one only. */
static int
begin_value(struct decoder *d)
{
	size_t i, at = skip_space(d, d->end);

	if (d->top > 0 && at < d->body.n && d->body.p[at] == ',')
		at = skip_space(d, at + 1);
	if (d->depth < d->top || (d->top == 0 && d->n_values > 0)) {
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
	return d->top == 0 || finish_event(d);
}

static int
scalar(struct decoder *d)
{
	if (d->depth > d->top)
		return 1;
	if (!begin_value(d))
		return 0;
	refuse(d, REFUSE_NOT_AN_OBJECT, d->begin);
	return end_value(d);
}

static int
open_bracket(struct decoder *d, bool map)
{
	if (d->depth <= d->top) {
		if (!begin_value(d))
			return 0;
		if (!map)
			refuse(d, REFUSE_NOT_AN_OBJECT, d->begin);
	}
	d->depth++;
	if (d->depth - d->top > d->limits.depth)
		refuse(d, REFUSE_TOO_DEEP, here(d) - 1);
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
		refuse(d, REFUSE_NUMBER_RANGE, here(d) - n);
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

/* --- the body -------------------------------------------------------------------- */

static void
drop_yajl(struct decoder *d)
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

/*
 * Parses body[from, to), which ends with a line or with the body, so that no token
 * is cut. False: it breaks at *at.
 */
static bool
feed(struct decoder *d, size_t from, size_t to, size_t *at)
{
	const unsigned char *p = (const unsigned char *)d->body.p + from;
	size_t n = validate_space((struct slice){ d->body.p + from, to - from });
	yajl_status s;

	if (!d->yajl)
		make_yajl(d);
	d->base = from;
	d->stopped = NOWHERE;
	s = yajl_parse(d->yajl, p, n);
	if (s == yajl_status_ok && from + n == d->body.n) {
		d->base = d->body.n;	/* a number ends where something follows */
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
	drop_yajl(d);
	return false;
}

/* Forgets the value before, so that the next begins at `at`. */
static void
start_at(struct decoder *d, size_t at, size_t top)
{
	d->begin = d->end = at;
	d->top = top;
	d->depth = 0;
	d->n_values = 0;
	d->bad = REFUSE_NONE;
}

/* body[from, to) ends what was fed: is it one whole value? */
static bool
is_complete(struct decoder *d, size_t to, size_t *at)
{
	*at = d->depth == 0 && d->n_values > 0 ? skip_space(d, d->end) : to;
	if (d->depth == 0 && d->n_values == 1 && *at >= to)
		return true;
	drop_yajl(d);
	return false;
}

static size_t
line_end(const struct decoder *d, size_t from)
{
	const char *p = memchr(d->body.p + from, '\n', d->body.n - from);

	return p ? (size_t)(p - d->body.p) + 1 : d->body.n;
}

static bool
refuse_line(struct decoder *d, size_t from, size_t at)
{
	d->begin = from;
	d->end = line_end(d, from);
	d->bad = REFUSE_NONE;
	refuse(d, REFUSE_INVALID_JSON, at);
	return finish_event(d);
}

static void
decode_lines(struct decoder *d, size_t from)
{
	bool go_on = true;
	size_t to, at;

	while (go_on && (from = skip_space(d, from)) < d->body.n) {
		to = line_end(d, from);
		start_at(d, from, 0);
		if (feed(d, from, to, &at) && is_complete(d, to, &at))
			go_on = finish_event(d);
		else
			go_on = refuse_line(d, from, at);
		from = to;
	}
}

static void
decode_array(struct decoder *d, size_t from)
{
	size_t at;

	start_at(d, from, 1);
	if (!feed(d, from, d->body.n, &at)) {
		if (d->out.whole == REFUSE_NONE && d->err == ERR_OK)
			refuse_whole(d, REFUSE_INVALID_JSON, at);
		return;
	}
	at = d->depth == 0 ? skip_space(d, d->end) : d->body.n;
	if (d->depth > 0 || at < d->body.n) {
		refuse_whole(d, REFUSE_INVALID_JSON, at);
		drop_yajl(d);
	} else if (d->n_events == 0) {
		refuse_whole(d, REFUSE_NO_EVENTS, from);
	}
}

static void
decode_object_or_lines(struct decoder *d, size_t from)
{
	size_t first_end = line_end(d, from), second = skip_space(d, first_end), at, depth;
	bool lines = second < d->body.n && d->body.p[second] == '{';

	start_at(d, from, 0);
	if (feed(d, from, first_end, &at)) {
		depth = d->depth;
		if (depth > 0 && second < d->body.n) {
			/* goes on behind its first line: one object, or a line cut short */
			if (feed(d, first_end, d->body.n, &at) && is_complete(d, d->body.n, &at)) {
				finish_event(d);
				return;
			}
			lines = lines && at <= second && d->depth == depth;
		} else if (is_complete(d, first_end, &at)) {
			if (finish_event(d))
				decode_lines(d, first_end);
			return;
		}
	}
	if (!lines)
		refuse_whole(d, REFUSE_INVALID_JSON, at);
	else if (refuse_line(d, from, at))
		decode_lines(d, first_end);
}

static void
decode_body(struct decoder *d)
{
	size_t from = 0;

	if (d->body.n >= 3 && memcmp(d->body.p, "\xEF\xBB\xBF", 3) == 0)
		from = 3;
	from = skip_space(d, from);
	if (from == d->body.n)
		refuse_whole(d, REFUSE_EMPTY_BODY, from);
	else if (d->body.p[from] == '[')
		decode_array(d, from);
	else if (d->body.p[from] == '{')
		decode_object_or_lines(d, from);
	else if (memchr("\"-0123456789tfn", d->body.p[from], 15))
		refuse_whole(d, REFUSE_NOT_AN_OBJECT, from);
	else
		refuse_whole(d, REFUSE_INVALID_JSON, from);
}

/* All memory that does not grow with the number of rows. */
static enum err
reserve(struct decoder *d)
{
	size_t n = d->body.n, ids = n / 2 + 1;
	int moved;

	if (ids > d->limits.events)
		ids = d->limits.events;
	/* an attribute is never longer decoded than it is in the body */
	buf_reset(&d->text);
	if (!buf_room(&d->text, n + ids * UUID_CHARS))
		return ERR_NOMEM;
	if (pool_reserve(&d->pool, n, &moved) != ERR_OK)
		return ERR_NOMEM;
	if (moved)
		drop_yajl(d);
	return ERR_OK;
}

enum err
decode_native(struct decoder *d, struct slice body, const struct decode_request *req,
	      const struct decoded **out)
{
	*out = &d->out;
	d->req = req;
	d->body = body;
	d->n_events = 0;
	d->out.n_rows = 0;
	d->out.n_refused = 0;
	d->out.whole = REFUSE_NONE;
	d->out.whole_offset = 0;
	d->err = reserve(d);
	if (d->err == ERR_OK)
		decode_body(d);
	if (d->out.whole != REFUSE_NONE || d->err != ERR_OK) {
		d->out.n_rows = 0;
		d->out.n_refused = 0;
	}
	return d->err;
}

enum err
decoder_new(struct decoder **out, const struct limits *limits)
{
	struct decoder *d = calloc(1, sizeof *d);

	*out = d;
	if (!d)
		return ERR_NOMEM;
	d->limits = *limits;
	buf_init(&d->text, SIZE_MAX);
	if (sha256_new(&d->sha256) != ERR_OK) {
		decoder_free(out);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

void
decoder_free(struct decoder **dp)
{
	struct decoder *d = *dp;

	if (!d)
		return;
	sha256_free(&d->sha256);
	pool_fini(&d->pool);
	buf_fini(&d->text);
	free(d->out.rows);
	free(d);
	*dp = NULL;
}
