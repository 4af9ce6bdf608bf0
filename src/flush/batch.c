#include "flush/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum err
batch_init(struct batch *b, size_t max_rows, size_t max_bytes)
{
	*b = (struct batch){ .max = max_rows, .room = max_bytes, .limit = max_bytes };
	b->rows = calloc(max_rows, sizeof *b->rows);
	b->text = malloc(max_bytes);
	if (b->rows && b->text)
		return ERR_OK;
	batch_fini(b);
	return ERR_NOMEM;
}

void
batch_fini(struct batch *b)
{
	free(b->rows);
	free(b->text);
	*b = (struct batch){ .rows = NULL };
}

void
batch_clear(struct batch *b)
{
	b->n = b->used = b->n_parts = 0;
}

bool
batch_segment(struct batch *b, struct uuid segment, bool known)
{
	struct sink_part *p = b->n_parts > 0 ? &b->parts[b->n_parts - 1] : NULL;

	if (!p || p->n > 0) {
		if (b->n_parts == SINK_SEGMENTS_MAX || b->n == b->max)
			return false;
		p = &b->parts[b->n_parts++];
	}
	*p = (struct sink_part){ segment, b->n, 0, known };
	return true;
}

static struct slice
keep(struct batch *b, struct slice s)
{
	char *to = b->text + b->used;

	if (!s.p)
		return s;
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	b->used += s.n;
	return (struct slice){ to, s.n };
}

/* The context of a request is one for all of its rows. */
static struct slice
keep_context(struct batch *b, const struct row *r)
{
	const struct row *before = b->parts[b->n_parts - 1].n > 0 ? &b->rows[b->n - 1] : NULL;

	if (before && before->head == r->head && before->context.p && r->context.p &&
	    slice_eq(before->context, r->context))
		return before->context;
	return keep(b, r->context);
}

static bool
make_room(struct batch *b, size_t n)
{
	char *more;

	if (b->used + n <= b->limit || (b->n == 0 && n <= b->room))
		return true;
	if (b->n > 0)
		return false;
	more = realloc(b->text, n);	/* empty: nothing points into it */
	if (!more)
		return false;
	b->text = more;
	b->room = n;
	return true;
}

bool
batch_add(struct batch *b, const struct row *r)
{
	struct row *copy = &b->rows[b->n];

	CHECK(b->n_parts > 0);
	if (b->n == b->max || !make_room(b, r->key.n + r->source.n + r->id.n + r->type.n +
	    r->subject.n + r->payload.n + r->context.n + r->reason.n))
		return false;
	*copy = *r;
	copy->key = keep(b, r->key);
	copy->source = keep(b, r->source);
	copy->id = keep(b, r->id);
	copy->type = keep(b, r->type);
	copy->subject = keep(b, r->subject);
	copy->payload = keep(b, r->payload);
	copy->reason = keep(b, r->reason);
	copy->context = keep_context(b, r);
	b->n++;
	b->parts[b->n_parts - 1].n++;
	return true;
}

void
batch_days(const struct batch *b, int64_t *first, int64_t *last)
{
	const struct sink_part *p;
	int64_t day;

	*first = INT64_MAX;
	*last = INT64_MIN;
	for (p = b->parts; p < b->parts + b->n_parts; p++) {
		day = clock_day(b->rows[p->first].received_at);
		*first = day < *first ? day : *first;
		day = clock_day(b->rows[p->first + p->n - 1].received_at);
		*last = day > *last ? day : *last;
	}
}

void
batch_slice(const struct batch *b, size_t from, size_t n, struct sink_batch *out)
{
	size_t k, first, end;

	*out = (struct sink_batch){ .rows = b->rows + from, .n_rows = n };
	for (k = 0; k < b->n_parts; k++) {
		first = b->parts[k].first > from ? b->parts[k].first : from;
		end = b->parts[k].first + b->parts[k].n;
		if (end > from + n)
			end = from + n;
		if (first < end)
			out->parts[out->n_parts++] = (struct sink_part){
				b->parts[k].segment, first - from, end - first, b->parts[k].known };
	}
}
