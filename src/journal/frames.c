#include "journal/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "journal/sqlite.h"

#define HEADER	32
#define MAGIC	0x377F0682U	/* | 1: checksums read words big-endian */

enum err
frames_open(struct frames *w, const char *dir, struct uuid u)
{
	char path[SEGMENT_PATH];
	struct stat st;
	enum err e = segment_path(path, dir, u, ".db-wal");

	if (e != ERR_OK)
		return e;
	*w = (struct frames){ .fd = open(path, O_RDONLY | O_CLOEXEC) };
	if (w->fd < 0)
		return errno == ENOENT ? ERR_DOWN : ERR_IO;
	if (fstat(w->fd, &st) != 0) {
		close(w->fd);
		return ERR_IO;
	}
	if (st.st_size > HEADER) {
		w->n = (st.st_size - HEADER) / (off_t)sizeof w->frame;
		w->ragged = (st.st_size - HEADER) % (off_t)sizeof w->frame != 0;
	}
	return ERR_OK;
}

void
frames_close(struct frames *w)
{
	close(w->fd);
}

static void
add(struct frames *w, const uint8_t *p, size_t n)
{
	uint32_t a, b, s0 = w->sum[0], s1 = w->sum[1];
	bool big_endian = w->big_endian;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		a = be32(p + i);
		b = be32(p + i + 4);
		if (!big_endian) {
			a = __builtin_bswap32(a);
			b = __builtin_bswap32(b);
		}
		s0 += a + s1;
		s1 += b + s0;
	}
	w->sum[0] = s0;
	w->sum[1] = s1;
}

/* Takes over the sum that stands at p; false when it was another. */
static bool
sum_is(struct frames *w, const uint8_t *p)
{
	bool good = w->sum[0] == be32(p) && w->sum[1] == be32(p + 4);

	w->sum[0] = be32(p);
	w->sum[1] = be32(p + 4);
	return good;
}

enum err
frames_header(struct frames *w)
{
	uint8_t h[HEADER];

	/* a WAL that is not even as long has no frame, and no header that could be good */
	if (w->n == 0)
		return ERR_OK;
	if (file_read_at(w->fd, h, HEADER, 0) != ERR_OK)
		return ERR_IO;
	w->big_endian = be32(h) & 1;
	add(w, h, 24);
	w->header_good = sum_is(w, h + 24) && (be32(h) & ~1U) == MAGIC && be32(h + 8) == FRAME_PAGE;
	if (w->header_good)
		memcpy(w->salts, h + 16, 8);
	return ERR_OK;
}

enum err
frames_read(struct frames *w, off_t i)
{
	return file_read_at(w->fd, w->frame, sizeof w->frame, HEADER + i * (off_t)sizeof w->frame);
}

bool
frames_blank(const struct frames *w)
{
	/* the first byte is zero, and each is as the one before */
	return w->frame[0] == 0 && memcmp(w->frame, w->frame + 1, sizeof w->frame - 1) == 0;
}

bool
frames_follows(struct frames *w)
{
	add(w, w->frame, 8);
	add(w, w->frame + FRAME_HEADER, FRAME_PAGE);
	return sum_is(w, w->frame + 16) && w->header_good && memcmp(w->frame + 8, w->salts, 8) == 0;
}
