#include <stdlib.h>

#include "event/decoder.h"
#include "event/fingerprint.h"
#include "event/validate.h"

void
accept_refuse(struct decoder *d, enum refusal why, size_t at)
{
	if (d->bad != REFUSE_NONE)
		return;
	d->bad = why;
	d->bad_at = at < d->body.n ? at : d->body.n;
}

bool
accept_refuse_whole(struct decoder *d, enum refusal why, size_t at)
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

/* What follows the attribute's key in the event; .p NULL: it has none. */
static struct slice
behind_key(const struct decoder *d, enum attribute a)
{
	size_t at = d->member[a];

	if (at == NOWHERE)
		return (struct slice){ 0 };
	return (struct slice){ d->body.p + at, d->end - at };
}

static void
read_attribute(struct decoder *d, enum attribute a, struct slice *out)
{
	struct slice rest = behind_key(d, a);
	enum refusal why;

	*out = (struct slice){ 0 };
	if (!rest.p)
		return;
	why = attribute_value(rest, a == ATTR_ID, &d->text, out);
	if (why != REFUSE_NONE)
		accept_refuse(d, why, d->member[a]);
}

/* A time that cannot be read refuses nothing: it is counted. */
static int64_t
read_time(struct decoder *d)
{
	struct slice rest = behind_key(d, ATTR_TIME), text;
	int64_t time = CLOCK_UNSET;

	if (!rest.p)
		return CLOCK_UNSET;
	if (attribute_value(rest, true, &d->text, &text) == REFUSE_NONE && text.p)
		time = clock_parse(text.p, text.n);
	if (time == CLOCK_UNSET && !attribute_is_empty(rest))
		d->out.n_times_unread++;
	return time;
}

static void
put_id(struct decoder *d, struct row *r, struct uuid id)
{
	char text[UUID_TEXT], *p = buf_room(&d->text, UUID_CHARS);

	CHECK(p);
	memcpy(p, uuid_text(id, text), UUID_CHARS);
	d->text.n += UUID_CHARS;
	r->id = (struct slice){ p, UUID_CHARS };
}

/* What makes two deliveries one event, and an id for an event that has none. */
static enum err
identify(struct decoder *d, struct row *r)
{
	const struct decode_request *q = d->req;
	struct uuid id;
	enum err e;

	if (r->id.n > 0 && !q->idempotency_key.p)
		return fingerprint_event(d->sha256, r->key, r->source, r->id, r->payload, r->time,
		    &r->fingerprint);
	if (!q->idempotency_key.p) {
		r->fingerprint = id = uuid_v7(q->ids, q->received_at);
	} else {
		e = fingerprint_request(d->sha256, r->key, q->idempotency_key, d->n_events - 1,
		    &r->fingerprint, &id);
		if (e != ERR_OK)
			return e;
	}
	if (r->id.n == 0)
		put_id(d, r, id);
	return ERR_OK;
}

static enum err
fill_row(struct decoder *d, struct row *r)
{
	*r = (struct row){
		.kind = ROW_EVENT, .received_at = d->req->received_at, .time = CLOCK_UNSET,
		.key = d->req->key, .source = d->req->source, .payload = value_slice(d),
		.context = d->req->context,
	};
	read_attribute(d, ATTR_ID, &r->id);
	read_attribute(d, ATTR_TYPE, &r->type);
	read_attribute(d, ATTR_SUBJECT, &r->subject);
	if (!r->source.p)
		read_attribute(d, ATTR_SOURCE, &r->source);
	if (d->bad != REFUSE_NONE)
		return ERR_OK;
	r->time = read_time(d);
	return identify(d, r);
}

static void
judge(struct decoder *d)
{
	struct slice s = value_slice(d);
	enum refusal why;
	size_t at;

	if (d->bad == REFUSE_NONE && s.n > d->limits.event_bytes)
		accept_refuse(d, REFUSE_EVENT_TOO_LARGE, d->begin);
	if (d->bad != REFUSE_NONE)
		return;
	why = validate_text(s, &at);
	if (why != REFUSE_NONE)
		accept_refuse(d, why, d->begin + at);
}

bool
accept_event(struct decoder *d)
{
	struct row *r;

	if (d->n_events == d->limits.events)
		return accept_refuse_whole(d, REFUSE_TOO_MANY_EVENTS, d->begin);
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
