#include "flush/tracker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define HOUSE_MS	200	/* a turn of house-keeping */

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
	return at != before || clock_us() - at < 100000;
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
	if (e != ERR_OK)
		return e;
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

/* Born before progress rows may have been pruned: then a missing row does not
 * say that nothing was loaded. */
static bool
is_stray(const struct tracker *t, const struct seg *s)
{
	int64_t kept = sink_progress_kept_ms(t->conf), born_ms = 0;
	int i;

	for (i = 0; i < 6; i++)		/* UUIDv7: milliseconds since 1970 */
		born_ms = born_ms << 8 | s->d.uuid.b[i];
	return kept > 0 && !s->known && clock_us() / 1000 - born_ms > kept;
}

static void
take_progress(struct tracker *t, struct seg *s, const struct sink_progress *p)
{
	char text[UUID_TEXT];

	if (p->last_seq < s->confirmed)
		log_warning("flush.went_back", "segment=%s from=%lld to=%lld: rows are sent again",
		    uuid_text(s->d.uuid, text), (long long)s->confirmed, (long long)p->last_seq);
	s->epoch = t->epoch;
	s->known = p->known;
	s->progress = s->confirmed = p->last_seq;
	s->damaged = s->damaged && s->final;
	s->stray = is_stray(t, s);
	if (s->final && s->confirmed < s->last_seq)
		s->done_ms = 0;
	s->leaving = s->leaving == ASK_ONCE_MORE && s->done_ms > 0 ? MAY_GO : STAYS;
}

static bool
wants_progress(const struct tracker *t, const struct seg *s)
{
	return s->epoch != t->epoch || (s->stray && t->again) || s->leaving == ASK_ONCE_MORE ||
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

static void
trouble(struct seg *s, enum err e, const char *why)
{
	char text[UUID_TEXT];

	uuid_text(s->d.uuid, text);
	segment_close(&s->reader);
	if (e == ERR_CORRUPT) {
		s->damaged = true;
		log_error("flush.damaged", "segment=%s: %s", text, why);
	} else if (e != ERR_DOWN) {
		log_limited(LOG_WARNING, "flush.read", "segment=%s %s: %s", text, err_name(e), why);
	}
}

static bool
open_reader(struct tracker *t, struct seg *s)
{
	char errmsg[256];
	enum err e;

	if (s->reader)
		return true;
	e = segment_open(&s->reader, t->dir, s->d.uuid, errmsg);
	if (e != ERR_OK)
		trouble(s, e, errmsg);
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

/* false: the batch is full. */
static bool
collect_one(struct tracker *t, struct seg *s, struct batch *b)
{
	struct filling f = { b, false };
	size_t before = b->n;
	enum err e;

	if (!open_reader(t, s))
		return true;
	if (!batch_segment(b, s->d.uuid, s->known))
		return false;
	e = segment_read(s->reader, s->progress, take_row, &f);
	/* damage is dealt with when the good rows before it have gone */
	if (e != ERR_OK && (e != ERR_CORRUPT || b->n == before))
		trouble(s, e, segment_errmsg(s->reader));
	if (b->n > before && b->rows[b->n - 1].seq > s->last_seq)
		s->last_seq = b->rows[b->n - 1].seq;
	return !f.full;
}

bool
tracker_collect(struct tracker *t, struct batch *b)
{
	bool full = false;
	struct seg *s;

	batch_clear(b);
	for (s = t->segs; !full && s < t->segs + t->n; s++) {
		if (!s->d.born || s->damaged || s->stray || s->epoch != t->epoch ||
		    (s->final && s->progress >= s->last_seq))
			continue;
		full = !collect_one(t, s, b);
	}
	if (b->n_parts > 0 && b->parts[b->n_parts - 1].n == 0)
		b->n_parts--;
	return full;
}

static int
by_uuid(const void *key, const void *elem)
{
	const struct seg *s = elem;

	return memcmp(key, &s->d.uuid, sizeof s->d.uuid);
}

void
tracker_loaded(struct tracker *t, const struct batch *b, size_t rows)
{
	struct sink_batch done;
	struct seg *s;
	size_t k;

	batch_slice(b, 0, rows, &done);
	for (k = 0; k < done.n_parts; k++) {
		s = bsearch(&done.parts[k].segment, t->segs, t->n, sizeof *t->segs, by_uuid);
		if (!s)
			continue;
		s->known = true;
		s->progress = done.rows[done.parts[k].first + done.parts[k].n - 1].seq;
		if (s->final && s->progress >= s->last_seq)
			segment_close(&s->reader);
	}
}

/* --- house-keeping ------------------------------------------------------------------ */

/* A claimed segment that was not complete when its writer went: nothing in it was
 * acknowledged. Listed anew, for it may have been completed since. */
static void
remove_unborn(struct tracker *t, struct seg *s)
{
	struct dir_segment *found;
	size_t n, i;

	if (dir_list(t->dir, &found, &n) != ERR_OK)
		return;
	for (i = 0; i < n; i++)
		if (memcmp(&found[i].uuid, &s->d.uuid, sizeof s->d.uuid) == 0 && !found[i].born &&
		    dir_remove(t->dir, s->d.uuid) != ERR_OK)
			log_limited(LOG_WARNING, "flush.remove", "an unfinished segment cannot be removed");
	free(found);
}

/* The writer is gone: what a fresh connection reads now is final. */
static void
finalize(struct tracker *t, struct seg *s)
{
	char errmsg[256] = "", text[UUID_TEXT];
	enum err e;

	segment_close(&s->reader);
	s->damaged = false;
	e = dir_tail_check(t->dir, s->d.uuid, errmsg);
	if (e != ERR_OK && e != ERR_CORRUPT) {
		trouble(s, e, errmsg);
		return;
	}
	s->tail_damaged = e == ERR_CORRUPT;
	if (s->tail_damaged)
		log_error("flush.damaged", "segment=%s: %s", uuid_text(s->d.uuid, text), errmsg);
	if (open_reader(t, s)) {
		e = segment_last_seq(s->reader, &s->last_seq);
		if (e != ERR_OK)
			trouble(s, e, segment_errmsg(s->reader));
		else
			s->final = true;
		segment_close(&s->reader);
	} else if (s->damaged) {
		s->final = true;
		s->last_seq = 0;
	}
}

static void
claim(struct tracker *t, struct seg *s)
{
	int lock = -1;

	if (dir_claim(t->dir, s->d.uuid, &lock) != ERR_OK)
		return;
	if (s->d.born)
		finalize(t, s);
	else
		remove_unborn(t, s);
	/* no writer can come back to it: names are never used again */
	close(lock);
}

static void
set_aside(struct tracker *t, struct seg *s)
{
	char text[UUID_TEXT];
	enum err e;
	int lock = -1;

	if (dir_claim(t->dir, s->d.uuid, &lock) != ERR_OK)
		return;
	segment_close(&s->reader);
	e = dir_set_aside(t->dir, s->d.uuid);
	close(lock);
	if (e != ERR_OK) {
		log_limited(LOG_WARNING, "flush.aside", "%s: %s", uuid_text(s->d.uuid, text), err_name(e));
		return;
	}
	stat_add(t->stat, STAT_flush_segments_set_aside_total, 1);
	log_error("flush.aside", "segment=%s is damaged and was moved to %s/aside; its rows up to seq %lld "
	    "are in PostgreSQL", uuid_text(s->d.uuid, text), t->dir, (long long)s->progress);
	t->dir_mtime_us = 0;
}

/* Everything is looked at once more, and nothing is removed on memory's word. */
static void
remove_done(struct tracker *t, struct seg *s)
{
	char text[UUID_TEXT];
	int64_t last = 0;
	enum err e;
	int lock = -1;

	if (dir_claim(t->dir, s->d.uuid, &lock) != ERR_OK)
		return;
	segment_close(&s->reader);
	if (open_reader(t, s)) {
		e = segment_last_seq(s->reader, &last);
		segment_close(&s->reader);
		if (e == ERR_OK && last == s->last_seq && (last == 0 || s->confirmed >= last) &&
		    dir_remove(t->dir, s->d.uuid) == ERR_OK) {
			stat_add(t->stat, STAT_flush_segments_removed_total, 1);
			log_debug("flush.remove", "segment=%s last_seq=%lld", uuid_text(s->d.uuid, text),
			    (long long)last);
		}
	}
	close(lock);
	t->dir_mtime_us = 0;
}

static bool
old_enough(const struct tracker *t, const struct seg *s, int64_t now_ms)
{
	if (t->tight)
		return (clock_us() - s->d.changed_at) / 1000 >= t->conf->journal_keep_min;
	return now_ms - s->done_ms >= t->conf->journal_keep;
}

static void
keep_one(struct tracker *t, struct seg *s, int64_t now_ms)
{
	if (!s->final) {
		claim(t, s);
		return;
	}
	if (s->damaged || (s->tail_damaged && s->epoch == t->epoch && s->progress >= s->last_seq)) {
		/* without a connection yet, its readable rows may still be owed */
		if (t->epoch > 0)
			set_aside(t, s);
		return;
	}
	if (s->last_seq > 0 && s->confirmed < s->last_seq)
		return;
	if (s->done_ms == 0)
		s->done_ms = now_ms;
	if (!old_enough(t, s, now_ms))
		return;
	/* a standby that lacks it may have taken over; but the disk has to be kept from
	 * filling up while PostgreSQL is away, too */
	if (t->connected && s->leaving != MAY_GO)
		s->leaving = ASK_ONCE_MORE;
	else
		remove_done(t, s);
}

uint64_t
tracker_pending(struct tracker *t)
{
	uint64_t pending = 0;
	struct seg *s;

	for (s = t->segs; s < t->segs + t->n; s++) {
		if (!s->d.born)
			continue;
		if (!s->final && !s->damaged && open_reader(t, s) &&
		    segment_last_seq(s->reader, &s->last_seq) != ERR_OK)
			segment_close(&s->reader);
		if (s->last_seq > s->progress)
			pending += (uint64_t)(s->last_seq - s->progress);
	}
	return pending;
}

static void
measure(struct tracker *t)
{
	uint64_t bytes = 0, age = 0;
	int64_t oldest = CLOCK_UNSET, now = clock_us();
	struct seg *s;

	stat_set(t->stat, STAT_flush_pending_rows, tracker_pending(t));
	for (s = t->segs; s < t->segs + t->n; s++) {
		bytes += s->d.bytes;
		if (oldest == CLOCK_UNSET && s->last_seq > s->progress && !s->damaged && open_reader(t, s) &&
		    segment_oldest(s->reader, s->progress, &oldest) == ERR_OK && oldest != CLOCK_UNSET)
			age = now > oldest ? (uint64_t)(now - oldest) : 0;
	}
	stat_set(t->stat, STAT_flush_segments, t->n);
	stat_set(t->stat, STAT_flush_journal_bytes, bytes);
	stat_set(t->stat, STAT_flush_pending_age_us, age);
}

/* What a person has to mend. */
static void
complain(struct tracker *t)
{
	char text[UUID_TEXT];
	struct seg *s;

	t->errmsg[0] = '\0';
	for (s = t->segs; s < t->segs + t->n && !t->errmsg[0]; s++) {
		uuid_text(s->d.uuid, text);
		if (s->stray)
			snprintf(t->errmsg, sizeof t->errmsg, "segment %s is older than flush.retention and has "
			    "no row in forebay.progress any more; if it was never loaded, type in psql: INSERT INTO "
			    "forebay.progress (segment, node) VALUES ('%s', 'by hand'); else move its files away",
			    text, text);
		else if (s->damaged && !s->final)
			snprintf(t->errmsg, sizeof t->errmsg, "segment %s is damaged and still being written: look "
			    "at the disk, then type: systemctl restart forebay", text);
	}
}

void
tracker_keep_house(struct tracker *t)
{
	const struct dir_limits limits = { t->conf->journal_cap_pct, t->conf->journal_floor_pct,
		t->conf->journal_floor_bytes };
	int64_t start = clock_mono_ms();
	struct dir_space space;
	struct seg *s;

	t->tight = dir_space(t->dir, &space) == ERR_OK && dir_tight(&space, &limits);
	for (s = t->segs; s < t->segs + t->n && clock_mono_ms() - start < HOUSE_MS; s++)
		keep_one(t, s, start);
	t->again = true;
	complain(t);
	measure(t);
}
