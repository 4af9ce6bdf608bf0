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
 * hide acknowledged rows in silence.
 *
 * Format: https://sqlite.org/fileformat2.html#walformat
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/dir.h"
#include "journal/sqlite.h"

#define HEADER		32
#define FRAME_HEADER	24
#define MAGIC		0x377F0682U	/* | 1: checksums read words big-endian */

struct wal {
	int fd;
	uint32_t page_size;
	bool big_endian;
	uint8_t salts[8];
	uint32_t sum[2];
	uint8_t *frame;		/* header and page */
};

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
add(struct wal *w, const uint8_t *p, size_t n)
{
	uint32_t a, b;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		a = be32(p + i);
		b = be32(p + i + 4);
		if (!w->big_endian) {
			a = __builtin_bswap32(a);
			b = __builtin_bswap32(b);
		}
		w->sum[0] += a + w->sum[1];
		w->sum[1] += b + w->sum[0];
	}
}

/* Reads the header; false when it does not check out: no frame has its salts then. */
static bool
read_header(struct wal *w)
{
	uint8_t h[HEADER];

	w->page_size = 4096;
	if (pread(w->fd, h, HEADER, 0) != HEADER)
		return false;
	w->big_endian = be32(h) & 1;
	add(w, h, 24);
	if ((be32(h) & ~1U) != MAGIC || w->sum[0] != be32(h + 24) || w->sum[1] != be32(h + 28))
		return false;
	w->page_size = be32(h + 8);
	memcpy(w->salts, h + 16, 8);
	return w->page_size >= 512 && w->page_size <= 65536;
}

/* One frame at its place; false at the end of the file. */
static bool
read_frame(struct wal *w, off_t i)
{
	size_t size = FRAME_HEADER + w->page_size;

	return pread(w->fd, w->frame, size, HEADER + i * (off_t)size) == (ssize_t)size;
}

static bool
checksum_matches(struct wal *w)
{
	if (memcmp(w->frame + 8, w->salts, 8) != 0)
		return false;
	add(w, w->frame, 8);
	add(w, w->frame + FRAME_HEADER, w->page_size);
	return w->sum[0] == be32(w->frame + 16) && w->sum[1] == be32(w->frame + 20);
}

/* What lies past the recovered end, so far. */
struct tail {
	uint32_t page;		/* of its last frame; 0: none */
	bool complete;		/* that one commits */
};

/* Can the frame stand there after a crash? */
static bool
may_follow(struct tail *t, const struct wal *w)
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
is_older(const struct wal *w)
{
	return be32(w->frame + 8) + 1 == be32(w->salts) && memcmp(w->frame + 12, w->salts + 4, 4) != 0;
}

/* The first frame that no crash has put where it is, or -1. */
static off_t
find_damage(struct wal *w, bool header_good)
{
	struct tail t = { .page = 0 };
	bool good = header_good, empty = true;
	off_t i;

	for (i = 0; read_frame(w, i); i++) {
		good = good && checksum_matches(w);
		empty = empty && !good;
		if (good && be32(w->frame + 4) != 0)
			t = (struct tail){ .page = 0 };
		else if (!(empty && is_older(w)) && !may_follow(&t, w))
			return i;
	}
	return -1;
}

enum err
dir_tail_check(const char *dir, struct uuid u, char errmsg[256])
{
	char path[SEGMENT_PATH];
	struct wal w = { .fd = -1 };
	enum err e = segment_path(path, dir, u, ".db-wal");
	off_t damage;
	bool good;

	if (e != ERR_OK)
		return e;
	w.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (w.fd < 0) {
		snprintf(errmsg, 256, "the WAL cannot be read: %s", strerror(errno));
		return errno == ENOENT ? ERR_CORRUPT : ERR_IO;
	}
	good = read_header(&w);
	w.frame = malloc(FRAME_HEADER + w.page_size);
	if (!w.frame) {
		snprintf(errmsg, 256, "out of memory");
		e = ERR_NOMEM;
	} else if ((damage = find_damage(&w, good)) >= 0) {
		snprintf(errmsg, 256, "the WAL is damaged: what can be read of it ends before frame %lld",
		    (long long)damage);
		e = ERR_CORRUPT;
	}
	free(w.frame);
	close(w.fd);
	return e;
}
