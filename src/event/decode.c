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
#include <stdlib.h>

#include "event/decoder.h"

/* body[from, to) ends what was fed: is it one whole value? */
static bool
is_complete(struct decoder *d, size_t to, size_t *at)
{
	*at = d->depth == 0 && d->n_values > 0 ? sax_skip_space(d, d->end) : to;
	if (d->depth == 0 && d->n_values == 1 && *at >= to)
		return true;
	sax_drop(d);
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
	accept_refuse(d, REFUSE_INVALID_JSON, at);
	return accept_event(d);
}

static void
decode_lines(struct decoder *d, size_t from)
{
	bool go_on = true;
	size_t to, at;

	while (go_on && (from = sax_skip_space(d, from)) < d->body.n) {
		to = line_end(d, from);
		sax_start(d, from, 0);
		if (sax_feed(d, from, to, &at) && is_complete(d, to, &at))
			go_on = accept_event(d);
		else
			go_on = refuse_line(d, from, at);
		from = to;
	}
}

static void
decode_array(struct decoder *d, size_t from)
{
	size_t at;

	sax_start(d, from, 1);
	if (!sax_feed(d, from, d->body.n, &at)) {
		if (d->out.whole == REFUSE_NONE && d->err == ERR_OK)
			accept_refuse_whole(d, REFUSE_INVALID_JSON, at);
		return;
	}
	at = d->depth == 0 ? sax_skip_space(d, d->end) : d->body.n;
	if (d->depth > 0 || at < d->body.n) {
		accept_refuse_whole(d, REFUSE_INVALID_JSON, at);
		sax_drop(d);
	} else if (d->n_events == 0) {
		accept_refuse_whole(d, REFUSE_NO_EVENTS, from);
	}
}

static void
decode_object_or_lines(struct decoder *d, size_t from)
{
	size_t first_end = line_end(d, from), second = sax_skip_space(d, first_end), at, depth;
	bool lines = second < d->body.n && d->body.p[second] == '{';

	sax_start(d, from, 0);
	if (sax_feed(d, from, first_end, &at)) {
		depth = d->depth;
		if (depth > 0 && second < d->body.n) {
			/* goes on behind its first line: one object, or a line cut short */
			if (sax_feed(d, first_end, d->body.n, &at) && is_complete(d, d->body.n, &at)) {
				accept_event(d);
				return;
			}
			lines = lines && at <= second && d->depth == depth;
		} else if (is_complete(d, first_end, &at)) {
			if (accept_event(d))
				decode_lines(d, first_end);
			return;
		}
	}
	if (!lines)
		accept_refuse_whole(d, REFUSE_INVALID_JSON, at);
	else if (refuse_line(d, from, at))
		decode_lines(d, first_end);
}

static void
decode_body(struct decoder *d)
{
	size_t from = 0;

	if (d->body.n >= 3 && memcmp(d->body.p, "\xEF\xBB\xBF", 3) == 0)
		from = 3;
	from = sax_skip_space(d, from);
	if (from == d->body.n)
		accept_refuse_whole(d, REFUSE_EMPTY_BODY, from);
	else if (d->body.p[from] == '[')
		decode_array(d, from);
	else if (d->body.p[from] == '{')
		decode_object_or_lines(d, from);
	else if (memchr("\"-0123456789tfn", d->body.p[from], 15))
		accept_refuse_whole(d, REFUSE_NOT_AN_OBJECT, from);
	else
		accept_refuse_whole(d, REFUSE_INVALID_JSON, from);
}

/* All memory that does not grow with the number of rows. */
static enum err
reserve(struct decoder *d)
{
	size_t n = d->body.n, ids = n / 2 + 1;
	bool moved;

	if (ids > d->limits.events)
		ids = d->limits.events;
	/* an attribute is never longer decoded than it is in the body */
	buf_reset(&d->text);
	if (!buf_room(&d->text, n + ids * UUID_CHARS))
		return ERR_NOMEM;
	if (pool_reserve(&d->pool, n, &moved) != ERR_OK)
		return ERR_NOMEM;
	if (moved)
		sax_drop(d);
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
