/*
 * How a body is told apart, by its content alone. Between events anything may stand
 * that separates: what JSON takes for white space, a byte order mark (files that were
 * put one behind the other have one each), a record separator.
 *
 * Nothing left		the whole body is refused (empty_body).
 * a record separator	a JSON text sequence (RFC 7464). Each text between two of
 *			them is what a line is below.
 * '['			one array, and nothing behind it. Its elements are the events.
 * '{'			read on until it ends or breaks:
 *	objects up to the end, one behind
 *	  the other, on whatever lines		each is an event
 *	they go over lines, up to a byte order
 *	  mark or a record separator		what follows is told apart anew
 *	the first line ends with an object	NDJSON
 *	it breaks on the first line, or right
 *	  at the '{' that begins the next,
 *	  and the next line begins with '{'	NDJSON with a bad first line
 * any other		the whole body is refused (invalid_json; not_an_object where
 *			some other JSON value may begin).
 *
 * A syntax error in an array, or in objects that go on over lines, refuses the whole
 * body. In NDJSON each line stands alone: it holds objects and nothing else, or it is
 * refused, whatever the lines around it hold; but a nesting that is beyond all reason
 * (sax.c) ends the reading, and refuses the whole body. Empty lines are skipped; lines are not
 * numbered, events are. "The first line" and "the next" are lines that are not empty.
 */
#include <stdlib.h>

#include "event/decoder.h"

#define RECORD_SEPARATOR	'\x1e'

/* What has been made of the body up to here. */
struct so_far { size_t n_rows, n_times_unread, n_refused, n_events, text; };

static struct so_far
so_far(const struct decoder *d)
{
	return (struct so_far){
		d->out.n_rows, d->out.n_times_unread, d->out.n_refused, d->n_events, d->text.n,
	};
}

static void
go_back(struct decoder *d, const struct so_far *to)
{
	d->out.n_rows = to->n_rows;
	d->out.n_times_unread = to->n_times_unread;
	d->out.n_refused = to->n_refused;
	d->n_events = to->n_events;
	d->text.n = to->text;
}

/* No event of the request counts any more. */
static bool
is_over(const struct decoder *d)
{
	return d->out.whole != REFUSE_NONE || d->err != ERR_OK;
}

/* The length of a separator that is no white space, or 0. */
static size_t
separator(const struct decoder *d, size_t at)
{
	const char *p = d->body.p + at;
	size_t n = d->body.n - at;

	if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
		return 3;
	return n > 0 && *p == RECORD_SEPARATOR;
}

static size_t
skip_between(const struct decoder *d, size_t at)
{
	size_t n;

	do {
		at = sax_skip_space(d, at);
		n = separator(d, at);
		at += n;
	} while (n > 0);
	return at;
}

/* Where the line, or the text of a sequence, ends. */
static size_t
line_end(struct decoder *d, size_t from)
{
	size_t at = sax_find(d, &d->next_mark, d->line_mark, from);

	return at + (at < d->body.n && d->line_mark == '\n');
}

/* body[from, to) ends what was fed: whole values, and nothing behind them? */
static bool
is_complete(struct decoder *d, size_t to, size_t *at)
{
	*at = d->depth == 0 && d->n_values > 0 ? sax_skip_space(d, d->end) : to;
	if (d->depth == 0 && d->n_values > 0 && *at >= to)
		return true;
	sax_drop(d);
	return false;
}

/* It broke at `at`: only because a separator stands there behind whole values? */
static bool
is_separated(const struct decoder *d, size_t at)
{
	return d->depth == 0 && d->n_values > 0 && !is_over(d) && separator(d, at) > 0;
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

/* The line that begins at *from, which moves behind it. False: the request ends here. */
static bool
decode_line(struct decoder *d, size_t *from)
{
	const struct so_far before = so_far(d);
	size_t begin = *from, to = line_end(d, begin), at;

	*from = to;
	sax_start(d, begin, 0);
	if (sax_feed(d, begin, to, &at) && is_complete(d, to, &at))
		return true;
	if (is_over(d))
		return false;
	if (is_separated(d, at)) {
		*from = at;
		return true;
	}
	go_back(d, &before);
	return refuse_line(d, begin, at);
}

static void
decode_lines(struct decoder *d, size_t from)
{
	while ((from = skip_between(d, from)) < d->body.n && decode_line(d, &from))
		;
}

static void
decode_array(struct decoder *d, size_t from)
{
	size_t at;

	sax_start(d, from, 1);
	if (!sax_feed(d, from, d->body.n, &at)) {
		if (!is_over(d))
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

/* Returns where a separator stands behind objects that went over lines, or the body's end. */
static size_t
decode_object_or_lines(struct decoder *d, size_t from)
{
	const struct so_far before = so_far(d);
	size_t first_end = line_end(d, from), second = skip_between(d, first_end), at, depth, values;
	bool lines = second < d->body.n && d->body.p[second] == '{';

	sax_start(d, from, 0);
	if (sax_feed(d, from, first_end, &at)) {
		depth = d->depth;
		values = d->n_values;
		if (depth > 0 && second < d->body.n) {
			/* goes on behind its first line: objects over lines, or a line cut short */
			if (sax_feed(d, first_end, d->body.n, &at) && is_complete(d, d->body.n, &at))
				return d->body.n;
			if (is_separated(d, at))
				return at;
			lines = lines && (values > 0 || (at <= second && d->depth == depth));
		} else if (is_complete(d, first_end, &at)) {
			decode_lines(d, first_end);
			return d->body.n;
		}
	}
	if (is_over(d))
		return d->body.n;
	if (is_separated(d, at)) {
		decode_lines(d, at);
		return d->body.n;
	}
	go_back(d, &before);
	if (!lines)
		accept_refuse_whole(d, REFUSE_INVALID_JSON, at);
	else if (refuse_line(d, from, at))
		decode_lines(d, first_end);
	return d->body.n;
}

static void
decode_objects(struct decoder *d, size_t from)
{
	while (from < d->body.n && d->body.p[from] == '{')
		from = skip_between(d, decode_object_or_lines(d, from));
	decode_lines(d, from);
}

static void
decode_body(struct decoder *d)
{
	size_t from = skip_between(d, 0);

	d->line_mark = from > 0 && memchr(d->body.p, RECORD_SEPARATOR, from) ? RECORD_SEPARATOR : '\n';
	if (from == d->body.n)
		accept_refuse_whole(d, REFUSE_EMPTY_BODY, from);
	else if (d->line_mark == RECORD_SEPARATOR)
		decode_lines(d, from);
	else if (d->body.p[from] == '[')
		decode_array(d, from);
	else if (d->body.p[from] == '{')
		decode_objects(d, from);
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
	d->next_mark = d->next_vt = d->next_ff = (struct sought){ 1, 0 };	/* nothing yet */
	d->n_events = 0;
	d->out.n_rows = 0;
	d->out.n_times_unread = 0;
	d->out.n_refused = 0;
	d->out.whole = REFUSE_NONE;
	d->out.whole_offset = 0;
	d->err = reserve(d);
	if (d->err == ERR_OK)
		decode_body(d);
	if (is_over(d)) {
		d->out.n_rows = 0;
		d->out.n_times_unread = 0;
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
