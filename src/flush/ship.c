#include "flush/ship.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define STAGED_BATCHES	100
#define MINUTE_MS	60000
#define TIMES_ALONE	3		/* a row runs out of time, before others are tried without it */
#define SLOW_MAX	8		/* rows in a row that do so, before it is the server */

/* Where ship() stands in its batch. */
struct course {
	size_t from;		/* rows before it are committed */
	size_t suspect_end;	/* a row in [from, suspect_end) was refused; 0: none known */
	size_t hint;		/* the row the server named, or SIZE_MAX */
	size_t alone;		/* the row that failed alone, or SIZE_MAX */
	size_t slow;		/* the row that ran out of time alone, or SIZE_MAX; */
	unsigned times;		/* how often in a row */
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
	out->differing += r->differing;
	out->quarantined += r->quarantined;
	out->rejected += r->rejected;
	out->passed += r->passed;
	out->batches++;
	__atomic_fetch_add(&s->cap->used, r->quarantined, __ATOMIC_RELAXED);
	s->limit = s->limit < s->max / 2 ? s->limit * 2 : s->max;
	if (r->duplicates > 0)
		s->staged_left = STAGED_BATCHES;
	else if (mode == SINK_STAGED && s->staged_left > 0)
		s->staged_left--;
}

/* A client's mistake; what stands stays. */
static void
log_differing(const struct sink_batch *b, const struct sink_result *r)
{
	char text[UUID_TEXT];
	size_t k = 0;

	if (r->differing == 0)
		return;
	while (r->differs >= b->parts[k].first + b->parts[k].n)
		k++;
	log_limited(LOG_WARNING, "flush.differs", "%llu rows have the Idempotency-Key of an event that says something "
	    "else; the first is %s:%lld", (unsigned long long)r->differing, uuid_text(b->parts[k].segment, text),
	    (long long)b->rows[r->differs].seq);
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

static void
log_quarantine(const struct batch *b, size_t row, const struct sink_bad *bad)
{
	struct sink_batch one;
	char text[UUID_TEXT];

	batch_slice(b, row, 1, &one);
	log_warning("flush.quarantine", "segment=%s seq=%lld sqlstate=%s: %s",
	    uuid_text(one.parts[0].segment, text), (long long)one.rows[0].seq, bad->sqlstate, bad->message);
}

/* The first n_bad of n rows into quarantine, in one transaction with the others. */
static enum err
quarantine(struct ship *s, struct sink *sink, const struct batch *b, size_t n, const struct sink_bad bad[],
	   size_t n_bad, struct course *c, struct shipped *out, struct sink_result *r)
{
	struct sink_batch slice;
	size_t i, room = quarantine_room(s);
	enum err e;

	if (room < n_bad)
		return over_cap(s, bad[0].message);
	batch_slice(b, c->from, n, &slice);
	e = sink->ops->attempt(sink, &slice, SINK_STAGED, bad, n_bad, room, r);
	if (e != ERR_OK)
		return e;
	for (i = 0; i < n_bad; i++)
		log_quarantine(b, c->from + i, &bad[i]);
	account(s, r, SINK_STAGED, out);
	c->from += n;
	c->suspect_end = 0;
	return ERR_OK;
}

static enum err
too_slow(struct ship *s, const char *why)
{
	snprintf(s->errmsg, sizeof s->errmsg, "rows take longer than a statement may: %s", why);
	return ERR_DOWN;
}

/* As quarantine(), but nothing is committed: ERR_OK if all but the first n_bad are taken. */
static enum err
rehearse(struct sink *sink, const struct batch *b, size_t n, const struct sink_bad bad[], size_t n_bad,
	 const struct course *c, struct sink_result *r)
{
	struct sink_batch slice;
	enum err e;

	batch_slice(b, c->from, n, &slice);
	e = sink->ops->attempt(sink, &slice, SINK_STAGED, bad, n_bad, 0, r);
	return e == ERR_FULL ? ERR_OK : e;
}

/*
 * A row that ran out of time alone, again and again. Is it the row, or the server? The
 * next one tells, without it: what runs out of time too is set aside with it on trial,
 * and all of them go only in one transaction with a row that goes through. The server may
 * have got well between the one and the other, so this is rehearsed first, and the row
 * has to run out of time once more before it is for good (INV-14).
 */
static enum err
set_aside(struct ship *s, struct sink *sink, const struct batch *b, const struct sink_bad *first, bool for_good,
	  struct course *c, struct shipped *out)
{
	struct sink_bad bad[SLOW_MAX];
	struct sink_result r;
	size_t n;
	enum err e;

	for (n = 1; n <= SLOW_MAX; n++) {
		bad[n - 1] = *first;
		bad[n - 1].row = n - 1;
		snprintf(bad[n - 1].message, sizeof bad->message, "no end within the statement's time, "
		    "while the row after it was answered");
		if (c->from + n >= b->n)
			return too_slow(s, "the last one alone; the next to come will tell whether it is that row");
		e = for_good ? quarantine(s, sink, b, n + 1, bad, n, c, out, &r) :
		    rehearse(sink, b, n + 1, bad, n, c, &r);
		if (e != ERR_INVALID)
			return e;
		out->failed++;
		/* refused is answered, too */
		if (r.refused.why != SINK_TIMED_OUT)
			return for_good ? quarantine(s, sink, b, n, bad, n, c, out, &r) : ERR_OK;
	}
	return too_slow(s, "several, each of them alone");
}

/* A row's error, and n were sent: the course says where to look. */
static enum err
row_failed(struct ship *s, struct sink *sink, const struct batch *b, size_t n, struct sink_result *r,
	   struct course *c, struct shipped *out)
{
	struct sink_bad *bad = &r->refused;
	bool slow = bad->why == SINK_TIMED_OUT;

	c->suspect_end = c->from + n;
	c->hint = bad->row == SIZE_MAX ? SIZE_MAX : c->from + bad->row;
	out->failed++;
	if (slow && n > 1) {
		s->limit = n / 2;
		log_limited(LOG_WARNING, "flush.slow", "%zu rows were cut off by the time that a statement has: "
		    "they are tried in parts", n);
	}
	if (n > 1)
		return ERR_OK;
	if (slow) {
		c->times = c->slow == c->from ? c->times + 1 : 1;
		c->slow = c->from;
		return c->times < TIMES_ALONE ? ERR_OK : set_aside(s, sink, b, bad, c->times > TIMES_ALONE, c, out);
	}
	/* refused alone twice in a row: then it is the row, and not the moment (INV-14) */
	if (c->alone == c->from) {
		bad->row = 0;
		return quarantine(s, sink, b, 1, bad, 1, c, out, &(struct sink_result){ 0 });
	}
	c->alone = c->from;
	return ERR_OK;
}

/* One attempt at n rows. */
static enum err
step(struct ship *s, struct sink *sink, const struct batch *b, size_t n, struct course *c,
     struct shipped *out)
{
	enum sink_mode mode = s->staged_left > 0 ? SINK_STAGED : SINK_PLAIN;
	struct sink_batch slice;
	struct sink_result r;
	enum err e;

	batch_slice(b, c->from, n, &slice);
	e = sink->ops->attempt(sink, &slice, mode, NULL, 0, quarantine_room(s), &r);
	if (e == ERR_OK) {
		log_differing(&slice, &r);
		account(s, &r, mode, out);
		c->from += n;
		return ERR_OK;
	}
	if (e == ERR_INVALID)
		e = row_failed(s, sink, b, n, &r, c, out);
	else
		out->failed++;
	if (e == ERR_BUSY && mode == SINK_PLAIN) {
		s->staged_left = STAGED_BATCHES;
		return ERR_OK;
	}
	if (e != ERR_OK)
		s->limit = n > 1 ? n / 2 : 1;
	return e == ERR_FULL && n > 1 ? ERR_OK : e;
}

enum err
ship(struct ship *s, struct sink *sink, const struct batch *b, struct shipped *out)
{
	struct course c = { 0, 0, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0 };
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
