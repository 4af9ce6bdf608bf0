/*
 * Tail check of a WAL whose writer is gone.
 *
 * SQLite recovers a WAL up to the first frame whose checksum does not match and
 * takes the rest for an unfinished write. After a crash that is so: each commit is
 * fsynced before the next begins, so at most one commit lies past the recovered
 * end. Two or more mean that bytes before them have changed, and that SQLite would
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

/* Reads the header; false when it does not check out, with our defaults in w. */
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
is_commit(const struct wal *w)
{
	return be32(w->frame + 4) != 0 && memcmp(w->frame + 8, w->salts, 8) == 0;
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

/* Commits past the end that SQLite will recover. */
static unsigned
hidden_commits(struct wal *w, bool header_good)
{
	unsigned hidden = 0;
	bool good = header_good;
	off_t i;

	for (i = 0; read_frame(w, i); i++) {
		if (i == 0 && !header_good)
			memcpy(w->salts, w->frame + 8, 8);
		good = good && checksum_matches(w);
		if (!good && is_commit(w))
			hidden++;
	}
	return hidden;
}

enum err
dir_tail_check(const char *dir, struct uuid u, char errmsg[256])
{
	char path[SEGMENT_PATH];
	struct wal w = { .fd = -1 };
	enum err e = segment_path(path, dir, u, ".db-wal");
	unsigned hidden;
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
	} else if ((hidden = hidden_commits(&w, good)) > 1) {
		snprintf(errmsg, 256, "the WAL is damaged: %u commits lie past its readable end", hidden);
		e = ERR_CORRUPT;
	}
	free(w.frame);
	close(w.fd);
	return e;
}
