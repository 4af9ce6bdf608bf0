/*
 * Tail check of a WAL whose writer is gone.
 *
 * SQLite recovers a WAL up to the first frame whose checksum does not match and
 * takes the rest for an unfinished write. After a crash that is so: each commit is
 * fsynced before the next begins, so past the recovered end lies at most one
 * transaction that was cut off. Its frames are in the order of their pages (SQLite
 * sorts them; journal.c keeps it from writing any earlier), only its last one
 * commits, and what had not been written is zero. A frame's salts stand in one
 * sector, so they are the WAL's or zero; the WAL's header was fsynced before the
 * first frame. Anything else means that bytes have changed, and that SQLite would
 * hide acknowledged rows in silence (INV-11).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "journal/dir.h"
#include "journal/frames.h"

/* What lies past the recovered end, so far. */
struct tail {
	uint32_t page;		/* of its last frame; 0: none */
	bool complete;		/* that one commits */
};

/* Can the frame stand there after a crash? */
static bool
may_follow(struct tail *t, const struct frames *w)
{
	static const uint8_t unwritten[8];
	uint32_t page = be32(w->frame);

	if (memcmp(w->frame + 8, unwritten, 8) == 0)
		return true;
	if (memcmp(w->frame + 8, w->salts, 8) != 0 || t->complete)
		return false;
	if (page == 0)
		return true;
	if (page <= t->page)
		return false;
	t->page = page;
	t->complete = be32(w->frame + 4) != 0;
	return true;
}

/* Of the log before the checkpoint of birth, when not even the new header's sync had
 * made its truncation durable: SQLite counts the first salt up and draws the second. */
static bool
is_older(const struct frames *w)
{
	return be32(w->frame + 8) + 1 == be32(w->salts) && memcmp(w->frame + 12, w->salts + 4, 4) != 0;
}

/* *damage: the first frame that no crash has put where it is, or -1. */
static enum err
find_damage(struct frames *w, off_t *damage)
{
	struct tail t = { .page = 0 };
	bool good = w->header_good, empty = true;

	for (*damage = 0; *damage < w->n; ++*damage) {
		if (frames_read(w, *damage) != ERR_OK)
			return ERR_IO;
		good = good && frames_follows(w);
		empty = empty && !good;
		if (good && be32(w->frame + 4) != 0)
			t = (struct tail){ .page = 0 };
		else if (!(empty && is_older(w)) && !may_follow(&t, w))
			return ERR_OK;
	}
	*damage = -1;
	return ERR_OK;
}

enum err
dir_tail_check(const char *dir, struct uuid u, char errmsg[256])
{
	struct frames w;
	off_t damage = -1;
	enum err e = frames_open(&w, dir, u);

	if (e == ERR_OK) {
		e = frames_header(&w);
		if (e == ERR_OK)
			e = find_damage(&w, &damage);
		frames_close(&w);
	}
	if (e != ERR_OK)
		snprintf(errmsg, 256, "the WAL cannot be read: %s", strerror(errno));
	if (damage >= 0 && e == ERR_OK)
		snprintf(errmsg, 256, "the WAL is damaged: what can be read of it ends before frame %lld",
		    (long long)damage);
	return e == ERR_DOWN || (e == ERR_OK && damage >= 0) ? ERR_CORRUPT : e;
}
