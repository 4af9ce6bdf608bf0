/*
 * Reading a segment. Always through a read-only connection, by the same user as
 * the writer; works on live and on abandoned segments. One reader at a time for
 * each struct; never in a process that writes the same segment.
 */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "event/row.h"

struct segment;

/*
 * Opens dir/<uuid>.db read-only; only for segments that are born (dir.h). ERR_CORRUPT:
 * damaged, or not of this name; ERR_SETUP: of another format; ERR_DOWN: gone; ERR_BUSY,
 * ERR_IO, ERR_NOMEM: try again.
 */
enum err segment_open(struct segment **, const char *dir, struct uuid, char errmsg[256]) MUST_CHECK;
/* The same for a short look by another than the flusher: it touches no file, and sees
 * what was committed before its first read. */
enum err segment_look(struct segment **, const char *dir, struct uuid, char errmsg[256]) MUST_CHECK;
void segment_close(struct segment **);

/* Largest seq, 0 when empty. */
enum err segment_last_seq(struct segment *, int64_t *) MUST_CHECK;
/* received_at of the first row with seq > after, or CLOCK_UNSET. */
enum err segment_oldest(struct segment *, int64_t after, int64_t *) MUST_CHECK;

/*
 * Calls each for the rows with seq > after in order, until it returns false. The
 * row's slices live until each returns; context is filled in for every row. Every
 * CRC is checked and seqs must have no hole: ERR_CORRUPT otherwise, after the good
 * rows before it were handed out. The read transaction ends with the call.
 */
typedef bool segment_each(void *arg, const struct row *);
enum err segment_read(struct segment *, int64_t after, segment_each *, void *arg) MUST_CHECK;

const char *segment_errmsg(const struct segment *);

#endif
