#include "flush/ship.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define STAGED_BATCHES	100
#define MINUTE_MS	60000

/* Where ship() stands in its batch. */
struct course {
	size_t from;		/* rows before it are committed */
	size_t suspect_end;	/* a row in [from, suspect_end) was refused; 0: none known */
	size_t hint;		/* the row the server named, or SIZE_MAX */
	size_t alone;		/* the row that failed alone, or SIZE_MAX */
};

void
ship_init(struct ship *s, size_t max_rows, struct ship_cap *cap)
{
	*s = (struct ship){ .limit = max_rows, .max = max_rows, .cap = cap };
}

static size_t
quarantine_room(const struct ship *s)
{
	int64_t now = clock_mono_ms();
	uint64_t used;

	if (now - __atomic_load_n(&s->cap->minute_ms, __ATOMIC_RELAXED) >= MINUTE_MS) {
		__atomic_store_n(&s->cap->minute_ms, now, __ATOMIC_RELAXED);
		__atomic_store_n(&s->cap->used, 0, __ATOMIC_RELAXED);
	}
	used = __atomic_load_n(&s->cap->used, __ATOMIC_RELAXED);
	return s->cap->rows > used ? (size_t)(s->cap->rows - used) : 0;
}

/* How many rows to send: what lies before the row that the server named, else half
 * of those among which one is bad. */
static size_t
next_size(const struct ship *s, const struct course *c, size_t total)
{
	size_t n = total - c->from;

	if (c->suspect_end > c->from) {
		n = (c->suspect_end - c->from + 1) / 2;
		if (c->hint >= c->from && c->hint < c->suspect_end)
			n = c->hint > c->from ? c->hint - c->from : 1;
	}
	return n < s->limit ? n : s->limit;
}

static void
account(struct ship *s, const struct sink_result *r, enum sink_mode mode, struct shipped *out)
{
	out->loaded += r->loaded;
	out->duplicates += r->duplicates;
	out->quarantined += r->quarantined;
	out->rejected += r->rejected;
	out->batches++;
	__atomic_fetch_add(&s->cap->used, r->quarantined, __ATOMIC_RELAXED);
	s->limit = s->limit < s->max / 2 ? s->limit * 2 : s->max;
	if (r->duplicates > 0)
		s->staged_left = STAGED_BATCHES;
	else if (mode == SINK_STAGED && s->staged_left > 0)
		s->staged_left--;
}

static enum err
over_cap(struct ship *s, const char *why)
{
	snprintf(s->errmsg, sizeof s->errmsg, "%llu rows were quarantined within a minute and more are "
	    "refused (%.500s): it looks as if forebay.event was changed; change it back, or raise "
	    "flush.quarantine_per_min and restart", (unsigned long long)__atomic_load_n(&s->cap->used,
	    __ATOMIC_RELAXED), why);
	return ERR_FULL;
}

/* The row that failed alone, with what it was told, into quarantine. */
static enum err
quarantine(struct ship *s, struct sink *sink, const struct sink_batch *b,
	   const struct sink_result *refusal, struct sink_result *r)
{
	struct sink_bad bad = refusal->refused;
	char text[UUID_TEXT];
	enum err e;

	bad.row = 0;
	if (quarantine_room(s) == 0)
		return over_cap(s, bad.message);
	e = sink->ops->attempt(sink, b, SINK_STAGED, &bad, 1, 1, r);
	if (e == ERR_OK)
		log_warning("flush.quarantine", "segment=%s seq=%lld sqlstate=%s: %s",
		    uuid_text(b->parts[0].segment, text), (long long)b->rows[0].seq, bad.sqlstate, bad.message);
	return e;
}

/* One attempt at n rows; on errors of rows the course says where to look. */
static enum err
step(struct ship *s, struct sink *sink, const struct batch *b, size_t n, struct course *c,
     struct shipped *out)
{
	enum sink_mode mode = s->staged_left > 0 ? SINK_STAGED : SINK_PLAIN;
	struct sink_batch slice;
	struct sink_result r, after;
	enum err e;

	batch_slice(b, c->from, n, &slice);
	e = sink->ops->attempt(sink, &slice, mode, NULL, 0, quarantine_room(s), &r);
	/* refused alone twice in a row: then it is the row, and not the moment */
	if (e == ERR_INVALID && n == 1 && c->alone == c->from) {
		out->failed++;
		e = quarantine(s, sink, &slice, &r, &after);
		r = after;
		c->suspect_end = 0;
	}
	switch (e) {
	case ERR_OK:
		account(s, &r, mode, out);
		c->from += n;
		return ERR_OK;
	case ERR_BUSY:
		if (mode == SINK_STAGED)
			break;
		s->staged_left = STAGED_BATCHES;
		out->failed++;
		return ERR_OK;
	case ERR_INVALID:
		if (n == 1 && c->alone == c->from)
			break;
		if (n == 1)
			c->alone = c->from;
		c->suspect_end = c->from + n;
		c->hint = r.refused.row == SIZE_MAX ? SIZE_MAX : c->from + r.refused.row;
		out->failed++;
		return ERR_OK;
	case ERR_FULL:
		if (n == 1)
			break;
		s->limit = n / 2;
		out->failed++;
		return ERR_OK;
	default:
		break;
	}
	s->limit = n > 1 ? n / 2 : 1;
	out->failed++;
	return e;
}

enum err
ship(struct ship *s, struct sink *sink, const struct batch *b, struct shipped *out)
{
	struct course c = { 0, 0, SIZE_MAX, SIZE_MAX };
	enum err e = ERR_OK;

	s->errmsg[0] = '\0';
	while (e == ERR_OK && c.from < b->n) {
		e = step(s, sink, b, next_size(s, &c, b->n), &c, out);
		out->rows = c.from;
	}
	if (e == ERR_FULL && !s->errmsg[0])
		return over_cap(s, sink->errmsg);
	if (e != ERR_OK && !s->errmsg[0])
		snprintf(s->errmsg, sizeof s->errmsg, "%s", sink->errmsg);
	return e;
}
