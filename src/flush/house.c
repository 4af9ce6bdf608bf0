/*
 * House-keeping: claims segments whose writer is gone, removes those that are done
 * and old, sets damaged ones aside, and sets the gauges.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "flush/tracker.h"

#define HINDERED	3	/* turns in a row; less may be a hiccup */

/* It cannot be removed or set aside, and why. */
static void
stays(struct tracker *t, const struct seg *s, const char *event)
{
	char text[UUID_TEXT];

	snprintf(t->immovable, sizeof t->immovable, "%s", strerror(errno));
	log_limited(LOG_WARNING, event, "segment=%s stays: %s", uuid_text(s->d.uuid, text), t->immovable);
}

/* A claimed segment that was not complete when its writer went: nothing in it was
 * acknowledged (INV-7). Listed anew, for it may have been completed since. */
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
			stays(t, s, "flush.remove");
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
		tracker_trouble(t, s, e, errmsg);
		return;
	}
	s->tail_damaged = e == ERR_CORRUPT;
	if (s->tail_damaged)
		log_error("flush.damaged", "segment=%s: %s", uuid_text(s->d.uuid, text), errmsg);
	e = segment_open(&s->reader, t->dir, s->d.uuid, errmsg);
	/* we hold the lock: nobody takes files away but a fault */
	if (e == ERR_DOWN)
		e = ERR_CORRUPT;
	else if (e == ERR_OK)
		e = segment_last_seq(s->reader, &s->last_seq);
	if (e != ERR_OK)
		tracker_trouble(t, s, e, s->reader ? segment_errmsg(s->reader) : errmsg);
	segment_close(&s->reader);
	if (s->damaged)
		s->last_seq = 0;
	else if (e == ERR_OK && !s->tail_damaged)
		tracker_judge(s);
	s->final = e == ERR_OK || s->damaged;
}

static void
claim(struct tracker *t, struct seg *s)
{
	int lock = -1;
	enum err e = dir_claim(t->dir, s->d.uuid, &lock);

	if (e == ERR_IO)
		tracker_trouble(t, s, e, strerror(errno));
	if (e != ERR_OK)
		return;
	CRASH_POINT("claimed");
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
	if (e != ERR_OK)
		stays(t, s, "flush.aside");
	close(lock);
	if (e != ERR_OK)
		return;
	stat_add(t->stat, STAT_flush_segments_set_aside_total, 1);
	log_error("flush.aside", "segment=%s is damaged and was moved to %s/aside; its rows up to seq %lld "
	    "are in PostgreSQL", uuid_text(s->d.uuid, text), t->dir, (long long)s->progress);
	t->dir_mtime_us = 0;
}

static void
remove_files(struct tracker *t, struct seg *s, int64_t last)
{
	char text[UUID_TEXT];

	CHECK(s->final && !s->damaged && !s->tail_damaged && !s->over);
	uuid_text(s->d.uuid, text);
	if (dir_remove(t->dir, s->d.uuid) != ERR_OK) {
		stays(t, s, "flush.remove");
		return;
	}
	stat_add(t->stat, STAT_flush_segments_removed_total, 1);
	log_debug("flush.remove", "segment=%s last_seq=%lld", text, (long long)last);
}

/* Everything is looked at once more, and nothing is removed on memory's word (INV-15). */
static void
remove_done(struct tracker *t, struct seg *s)
{
	int64_t last = 0;
	enum err e;
	int lock = -1;

	if (dir_claim(t->dir, s->d.uuid, &lock) != ERR_OK)
		return;
	segment_close(&s->reader);
	if (tracker_open(t, s)) {
		e = segment_last_seq(s->reader, &last);
		segment_close(&s->reader);
		if (e != ERR_OK || last != s->last_seq) {
			s->final = false;	/* then it is claimed and looked at anew */
		} else if (last == 0 || s->confirmed >= last) {
			remove_files(t, s, last);
		}
	}
	close(lock);
	t->dir_mtime_us = 0;
}

static bool
old_enough(const struct tracker *t, const struct seg *s, int64_t now_ms)
{
	int64_t done = now_ms - s->done_ms;

	/* the wall clock knows how old it was when we started, but may have been set back */
	if (t->tight && (done >= t->conf->journal_keep_min ||
	    (clock_us() - s->d.changed_at) / 1000 >= t->conf->journal_keep_min))
		return true;
	return done >= t->conf->journal_keep;
}

static void
keep_one(struct tracker *t, struct seg *s, int64_t now_ms)
{
	if (s->ahead > s->progress)	/* a batch has rows of it */
		return;
	if (!s->final) {
		claim(t, s);
		return;
	}
	if (s->damaged || s->tail_damaged) {
		/* its readable rows may still be owed, until this connection has read progress */
		if (t->epoch > 0 && (s->damaged || (s->epoch == t->epoch && s->progress >= s->last_seq)))
			set_aside(t, s);
		return;		/* never removed: what is hidden behind the damage was acknowledged (INV-11) */
	}
	if (s->over || (s->last_seq > 0 && s->confirmed < s->last_seq))
		return;
	if (s->done_ms == 0)
		s->done_ms = now_ms;
	if (!old_enough(t, s, now_ms))
		return;
	/* a standby that lacks it may take over or have done so; but the disk has to be kept
	 * from filling up while PostgreSQL is away, too */
	if (s->leaving != MAY_GO && (t->connected || !t->tight))
		s->leaving = ASK_ONCE_MORE;
	else
		remove_done(t, s);
}

static void
measure(struct tracker *t, int64_t ms)
{
	uint64_t bytes = 0, age = 0;
	int64_t oldest = CLOCK_UNSET, now = clock_us();
	struct seg *s;

	stat_set(t->stat, STAT_flush_pending_rows, tracker_pending(t, ms));
	for (s = t->segs; s < t->segs + t->n; s++) {
		bytes += s->d.bytes;
		if (oldest == CLOCK_UNSET && s->last_seq > s->progress && !s->damaged && tracker_open(t, s) &&
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
		else if (s->over)
			snprintf(t->errmsg, sizeof t->errmsg, "forebay.progress says that %lld rows of segment %s are in "
			    "PostgreSQL, more than there were: it was moved by hand, or the volume has lost rows; nothing of it "
			    "is sent or removed. Look what `forebay audit` says, then type in psql: SELECT "
			    "forebay.recount('%s'); if that does not end it, all of it is there: move its files away",
			    (long long)s->confirmed, text, text);
		else if (s->foreign)
			snprintf(t->errmsg, sizeof t->errmsg, "segment %s was written by a version with another "
			    "format of the journal: let that version's forebay-flusher run until it is in PostgreSQL; "
			    "it is kept as it is", text);
		else if (s->damaged && !s->final)
			snprintf(t->errmsg, sizeof t->errmsg, "segment %s is damaged and still being written: look "
			    "at the disk, then type: systemctl restart forebay", text);
	}
	t->hindered = t->unreadable[0] || t->immovable[0] ? t->hindered + 1 : 0;
	if (t->hindered >= HINDERED && !t->errmsg[0] && t->unreadable[0])
		snprintf(t->errmsg, sizeof t->errmsg, "the journal cannot be read: %s; look at the disk, the files' "
		    "owner, and LimitNOFILE of forebay-flusher.service: it is tried again", t->unreadable);
	else if (t->hindered >= HINDERED && !t->errmsg[0])
		snprintf(t->errmsg, sizeof t->errmsg, "segments that are in PostgreSQL or damaged cannot be removed: %s; "
		    "look at the disk and at who owns %.200s: it is tried again, and loading goes on", t->immovable, t->dir);
	t->unreadable[0] = t->immovable[0] = '\0';
}

void
tracker_keep_house(struct tracker *t, int64_t ms)
{
	const struct dir_limits limits = { t->conf->journal_cap_pct, t->conf->journal_floor_pct,
		t->conf->journal_floor_bytes };
	int64_t start = clock_mono_ms();
	struct dir_space space;
	size_t i;

	t->tight = dir_space(t->dir, &space) == ERR_OK && dir_tight(&space, &limits);
	/* on where the last turn ended: what takes long each time holds up nobody for ever */
	for (i = 0; i < t->n && clock_mono_ms() - start < ms; i++)
		keep_one(t, &t->segs[t->next++ % t->n], start);
	t->again = true;
	complain(t);
	measure(t, ms);
}
