/*
 * The frames of a segment's WAL as they lie in its file, one by one: for looking at
 * what SQLite would not read any more.
 *
 * Format: https://sqlite.org/fileformat2.html#walformat
 */
#ifndef JOURNAL_FRAMES_H
#define JOURNAL_FRAMES_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/uuid.h"

#define FRAME_HEADER	24
#define FRAME_PAGE	4096	/* of every segment: SQLite's default */

struct frames {
	int fd;
	off_t n;			/* whole frames in the file */
	bool ragged;			/* bytes lie behind them */
	bool header_good;		/* else no frame has its salts */
	bool big_endian;
	uint8_t salts[8];
	uint32_t sum[2];		/* up to the frame that was read last */
	uint8_t frame[FRAME_HEADER + FRAME_PAGE];	/* that frame */
};

static inline uint32_t
be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

/* ERR_DOWN: there is no WAL; ERR_IO with errno. Close it after ERR_OK. */
enum err frames_open(struct frames *, const char *dir, struct uuid) MUST_CHECK;
void frames_close(struct frames *);

/* The WAL's header comes first. ERR_IO with errno: it could not be read, which says
 * nothing about the frames. */
enum err frames_header(struct frames *) MUST_CHECK;
/* Reads frame i, from 0 to n - 1. ERR_IO with errno: others may be readable still. */
enum err frames_read(struct frames *, off_t i) MUST_CHECK;

/* Is the frame that was read last all zeros: written ahead (ahead.h), or never written? */
bool frames_blank(const struct frames *);
/*
 * Has the frame that was read last the WAL's salts and a checksum that goes on from the
 * one before? Once for each frame, in their order; behind one that has not, a frame is
 * judged by what stands in that.
 */
bool frames_follows(struct frames *);

#endif
