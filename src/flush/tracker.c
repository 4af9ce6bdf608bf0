#include "flush/tracker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

#define READERS		32	/* kept open, of three files and 256 KiB each */
#define COLLECT_MS	500	/* the loop has other things to do, and a watchdog */
#define GRAIN_US	100000	/* coarser than any file system's clock */

void
tracker_init(struct tracker *t, const struct conf *conf, struct stat_slot *stat)
{
	*t = (struct tracker){ .conf = conf, .dir = conf->journal_dir, .stat = stat };
}

void
tracker_fini(struct tracker *t)
{
	while (t->n > 0)
		segment_close(&t->segs[--t->n].reader);
	free(t->segs);
	t->segs = NULL;
}

/* --- what there is ------------------------------------------------------------- */

static bool
changed(struct tracker *t)
{
	struct stat st;
	int64_t at, before = t->dir_mtime_us;
	size_t i;

	if (stat(t->dir, &st) != 0)
		return true;
	at = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	t->dir_mtime_us = at;
	for (i = 0; i < t->n; i++)	/* being born shows in the lock file only */
		if (!t->segs[i].d.born)
			return true;
	/* a change within the clock's grain of the last look does not show */
	return at != before || clock_us() - at < GRAIN_US;
}

/* Carries over what is known of the segments that are still there; both are sorted. */
static struct seg *
merge(struct tracker *t, const struct dir_segment *found, size_t n)
{
	struct seg *segs = calloc(n + 1, sizeof *segs);
	size_t i, old = 0;
	int cmp;

	for (i = 0; segs && i < n; i++) {
		cmp = -1;
		while (old < t->n && (cmp = memcmp(&t->segs[old].d.uuid, &found[i].uuid,
		    sizeof found[i].uuid)) < 0)
			segment_close(&t->segs[old++].reader);
		if (old < t->n && cmp == 0)
			segs[i] = t->segs[old++];
		else
			segs[i].due_known = t->closed;
		segs[i].d = found[i];
	}
	while (segs && old < t->n)
		segment_close(&t->segs[old++].reader);
	return segs;
}

enum err
tracker_scan(struct tracker *t, bool always)
{
	struct dir_segment *found;
	struct seg *segs;
	size_t n;
	enum err e;

	if (!changed(t) && !always)
		return ERR_OK;
	e = dir_list(t->dir, &found, &n);
	if (e != ERR_OK) {
		snprintf(t->unreadable, sizeof t->unreadable, "its directory: %s", strerror(errno));
		return e;
	}
	segs = merge(t, found, n);
	free(found);
	if (!segs)
		return ERR_NOMEM;
	free(t->segs);
	t->segs = segs;
	t->n = n;
	return ERR_OK;
}

/* --- progress -------------------------------------------------------------------- */

void
tracker_connected(struct tracker *t, bool yes)
{
	t->connected = yes;
	t->epoch += yes;
}

/* Its first row came before progress rows may have been pruned: then a missing one does
 * not say that nothing was loaded. A writer that is idle for long has none. */
static bool
is_stray(struct tracker *t, struct seg *s)
{
	int64_t kept = sink_progress_kept_ms(t->conf), before = clock_us() - kept * 1000, first = CLOCK_UNSET;
	bool seen;

	if (kept == 0 || s->known || uuid_time(s->d.uuid) >= before)
		return false;
	seen = tracker_open(t, s) && segment_oldest(s->reader, 0, &first) == ERR_OK;
	segment_close(&s->reader);	/* there may be many */
	return !seen || (first != CLOCK_UNSET && first < before);
}

static void
take_progress(struct tracker *t, struct seg *s, const struct sink_progress *p)
{
	char text[UUID_TEXT];

	if (p->last_seq < s->confirmed) {
		log_warning("flush.went_back", "segment=%s from=%lld to=%lld: rows are sent again",
		    uuid_text(s->d.uuid, text), (long long)s->confirmed, (long long)p->last_seq);
		s->over = false;
	}
	s->epoch = t->epoch;
	s->known = p->known;
	s->progress = s->confirmed = s->ahead = p->last_seq;
	s->damaged = s->damaged && s->final;
	s->stray = is_stray(t, s);
	s->passed = false;
	if (s->final && s->confirmed > s->last_seq && !s->over)
		s->final = false;	/* its end is looked up once more */
	if (s->final && s->confirmed < s->last_seq)
		s->done_ms = 0;
	s->leaving = s->leaving == ASK_ONCE_MORE && s->done_ms > 0 ? MAY_GO : STAYS;
}

static bool
wants_progress(const struct tracker *t, const struct seg *s)
{
	return s->epoch != t->epoch || ((s->stray || s->over) && t->again) || s->leaving == ASK_ONCE_MORE ||
	    (s->passed && s->ahead == s->progress) ||
	    (s->final && s->progress >= s->last_seq && s->confirmed < s->last_seq);
}

enum err
tracker_progress(struct tracker *t, struct sink *sink)
{
	struct sink_progress *p = NULL;
	enum err e = ERR_OK;
	size_t i, n = 0;

	for (i = 0; i < t->n; i++)
		n += wants_progress(t, &t->segs[i]);
	if (n == 0)
		return ERR_OK;
	p = calloc(n, sizeof *p);
	if (!p)
		return ERR_NOMEM;
	for (i = n = 0; i < t->n; i++)
		if (wants_progress(t, &t->segs[i]))
			p[n++].segment = t->segs[i].d.uuid;
	e = sink->ops->progress(sink, p, n);
	for (i = n = 0; e == ERR_OK && i < t->n; i++)
		if (wants_progress(t, &t->segs[i]))
			take_progress(t, &t->segs[i], &p[n++]);
	t->again = false;
	free(p);
	return e;
}

/* --- reading ------------------------------------------------------------------------ */

void
tracker_trouble(struct tracker *t, struct seg *s, enum err e, const char *why)
{
	char text[UUID_TEXT];

	uuid_text(s->d.uuid, text);
	if (e == ERR_CORRUPT) {
		s->damaged = true;
		log_error("flush.damaged", "segment=%s: %s", text, why);
	} else if (e != ERR_DOWN) {
		log_limited(LOG_WARNING, "flush.read", "segment=%s %s: %s", text, err_name(e), why);
	}
	s->foreign = e == ERR_SETUP;
	if (e == ERR_IO)
		snprintf(t->unreadable, sizeof t->unreadable, "%s", why);
	segment_close(&s->reader);	/* last: the words may be its own */
}

bool
tracker_open(struct tracker *t, struct seg *s)
{
	char errmsg[256];
	enum err e;

	if (s->reader)
		return true;
	e = segment_open(&s->reader, t->dir, s->d.uuid, errmsg);
	if (e != ERR_OK)
		tracker_trouble(t, s, e, errmsg);
	return e == ERR_OK;
}

struct filling { struct batch *b; bool full; };

static bool
take_row(void *arg, const struct row *r)
{
	struct filling *f = arg;

	f->full = !batch_add(f->b, r);
	return !f->full;
}

/* Its writer may have added rows since it was counted. */
static bool
may_have_grown(const struct seg *s)
{
	return s->d.born && !s->final && !s->damaged && (!s->counted || s->counted_at != s->d.changed_at);
}

/* Its rows were seen to the last by a look that began at that time. */
static void
counted(struct seg *s, int64_t at_us)
{
	s->counted = true;
	/* a change within the clock's grain of the look would not show */
	s->counted_at = at_us - s->d.changed_at < GRAIN_US ? CLOCK_UNSET : s->d.changed_at;
}

/* After a crash, or crashes, there may be thousands of segments that nobody has claimed.
 * Those that are written to are among the newest: their readers stay. */
static bool
is_old(const struct tracker *t, const struct seg *s)
{
	return t->segs + t->n - s > READERS;
}

/*
 * last_seq was just read. Progress that was read before it and lies beyond is not of its
 * rows: somebody has moved it, and rows to come would be taken for loaded. Or the volume
 * has lost what it had said was safe (INV-15).
 */
void
tracker_judge(struct seg *s)
{
	s->over |= s->confirmed > s->last_seq;
}

/* false: it could not be read, or not counted. */
static bool
count_rows(struct tracker *t, struct seg *s)
{
	bool was_open = s->reader != NULL, good;
	int64_t now = clock_us();

	if (!tracker_open(t, s))
		return false;
	good = segment_last_seq(s->reader, &s->last_seq) == ERR_OK;
	if (good) {
		counted(s, now);
		tracker_judge(s);
	}
	if (!s->counted || (!was_open && is_old(t, s)))
		segment_close(&s->reader);
	return good;
}

static void
collect_one(struct tracker *t, struct seg *s, struct filling *f)
{
	struct batch *b = f->b;
	size_t before = b->n;
	int64_t now = clock_us();
	enum err e;

	if (!tracker_open(t, s))
		return;
	if (s->progress > s->last_seq && (!count_rows(t, s) || s->over))
		return;
	f->full = !batch_segment(b, s->d.uuid, s->known);
	if (f->full)
		return;
	e = segment_read(s->reader, s->ahead, take_row, f);
	if (b->n > before)
		s->ahead = b->rows[b->n - 1].seq;
	if (s->ahead > s->last_seq)
		s->last_seq = s->ahead;
	/* damage is dealt with when the good rows before it have gone */
	if (e != ERR_OK && (e != ERR_CORRUPT || s->ahead == s->progress)) {
		tracker_trouble(t, s, e, segment_errmsg(s->reader));
	} else if (e == ERR_OK && !f->full) {
		counted(s, now);
		if (is_old(t, s))
			segment_close(&s->reader);
	}
}

/* Nothing new can be in it, as far as the files tell. */
static bool
is_read(const struct seg *s)
{
	return s->ahead >= s->last_seq && (s->final || (!s->reader && !may_have_grown(s)));
}

bool
tracker_collect(struct tracker *t, struct batch *b, bool all)
{
	int64_t until = clock_mono_ms() + COLLECT_MS;
	struct filling f = { b, false };
	struct seg *s;

	for (s = t->segs; !f.full && s < t->segs + t->n && clock_mono_ms() < until; s++) {
		if (!s->d.born || s->damaged || s->stray || s->over || s->passed || s->epoch != t->epoch || is_read(s) ||
		    (s->ahead > s->progress && !all))
			continue;
		collect_one(t, s, &f);
	}
	if (b->n_parts > 0 && b->parts[b->n_parts - 1].n == 0)
		b->n_parts--;
	return f.full;
}

void
tracker_rewind(struct tracker *t)
{
	struct seg *s;

	for (s = t->segs; s < t->segs + t->n; s++)
		s->ahead = s->progress;
}

static int
by_uuid(const void *key, const void *elem)
{
	const struct seg *s = elem;

	return memcmp(key, &s->d.uuid, sizeof s->d.uuid);
}

/* NULL: its files have gone meanwhile. */
static struct seg *
find(struct tracker *t, const struct uuid *u)
{
	return bsearch(u, t->segs, t->n, sizeof *t->segs, by_uuid);
}

bool
tracker_is_next(struct tracker *t, const struct batch *b)
{
	const struct seg *s;
	size_t k;

	for (k = 0; k < b->n_parts; k++)
		if ((s = find(t, &b->parts[k].segment)) && b->rows[b->parts[k].first].seq > s->progress + 1)
			return false;
	return true;
}

void
tracker_passed(struct tracker *t, const struct batch *b)
{
	struct seg *s;
	size_t k;

	for (k = 0; k < b->n_parts; k++)
		if ((s = find(t, &b->parts[k].segment)))
			s->passed = true;
}

void
tracker_loaded(struct tracker *t, const struct batch *b, size_t rows)
{
	struct sink_batch done;
	struct seg *s;
	size_t k;

	batch_slice(b, 0, rows, &done);
	for (k = 0; k < done.n_parts; k++) {
		s = find(t, &done.parts[k].segment);
		if (!s)
			continue;
		s->known = true;
		s->progress = done.rows[done.parts[k].first + done.parts[k].n - 1].seq;
		if (s->final && s->progress >= s->last_seq)
			segment_close(&s->reader);
	}
}

/* Whether last_seq says what the files hold. One segment at the least is read, others
 * until the time is up. */
static bool
look(struct tracker *t, struct seg *s, int64_t until, bool *looked)
{
	if (!may_have_grown(s))
		return true;
	if (*looked && clock_mono_ms() >= until)
		return false;
	*looked = true;
	return count_rows(t, s);
}

uint64_t
tracker_pending(struct tracker *t, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	uint64_t pending = 0;
	bool looked = false;
	struct seg *s;

	for (s = t->segs; s < t->segs + t->n; s++) {
		if (!look(t, s, until, &looked) && s->last_seq <= s->progress)
			pending++;
		if (s->last_seq > s->progress)
			pending += (uint64_t)(s->last_seq - s->progress);
	}
	return pending;
}

bool
tracker_wants(struct tracker *t, int64_t ms)
{
	const struct seg *s;

	for (s = t->segs; s < t->segs + t->n; s++)
		if (s->leaving == ASK_ONCE_MORE || (s->final && s->confirmed < s->last_seq))
			return true;
	return tracker_pending(t, ms) > 0;
}

bool
tracker_carried(struct tracker *t, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	bool carried = true, looked = false;
	struct seg *s;

	t->closed = true;
	for (s = t->segs; s < t->segs + t->n; s++) {
		if (!s->due_known) {
			s->due_known = look(t, s, until, &looked) || s->foreign;
			s->due = s->last_seq;
		}
		carried = carried && s->due_known && s->due <= s->progress;
	}
	return carried;
}
