/*
 * The journal's directory as a whole: which segments there are, claiming those
 * whose writer is gone, removing those that are done, and space.
 */
#ifndef JOURNAL_DIR_H
#define JOURNAL_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"

struct dir_segment {
	struct uuid uuid;
	bool born;		/* complete: the writer may have acknowledged rows in it */
	uint64_t bytes;		/* db and wal */
	int64_t changed_at;	/* newest mtime, microseconds since 1970 */
};

/* Lists the segments, oldest name first (a hint only). *out is the caller's to free().
 * ERR_DOWN: no such directory; ERR_IO with errno: not all of it could be read. */
enum err dir_list(const char *dir, struct dir_segment **out, size_t *n) MUST_CHECK;

/*
 * Claims a segment: ERR_OK and its lock's fd when its writer is gone (kept open, so
 * that nobody else takes it); ERR_BUSY while it lives. After ERR_OK what a fresh
 * connection reads is final.
 */
enum err dir_claim(const char *dir, struct uuid, int *lock_fd) MUST_CHECK;

/*
 * A claimed segment that is not `born` lost its writer while it was made. Nothing
 * in it was acknowledged: remove it without opening it. A live one is not to be
 * opened before it is born.
 *
 * Tail check of a claimed segment, before it is opened. ERR_CORRUPT, with errmsg: past
 * the end that SQLite will recover lies what no crash can have left (wal.c), so damage
 * hides acknowledged rows; or there is no WAL. ERR_IO, with errmsg: not all of it could
 * be read, try again.
 */
enum err dir_tail_check(const char *dir, struct uuid, char errmsg[256]) MUST_CHECK;

/*
 * Takes the mark of birth away, unlinks the files, the lock last, and fsyncs the
 * directory. Half done it leaves a segment that is not born.
 */
enum err dir_remove(const char *dir, struct uuid) MUST_CHECK;

/* Moves a segment's files to another directory of the same volume, which must exist. */
enum err dir_move(const char *dir, struct uuid, const char *to) MUST_CHECK;
/* Moves a damaged segment's files to dir/aside/, for people to look at. */
enum err dir_set_aside(const char *dir, struct uuid) MUST_CHECK;

struct dir_space {
	uint64_t total, free;	/* bytes of the volume, free for us */
	uint64_t inodes, inodes_free;
	uint64_t used;		/* bytes of the journal's files */
};
enum err dir_space(const char *dir, struct dir_space *) MUST_CHECK;

struct dir_limits { uint64_t cap_pct, floor_pct, floor_bytes; };
/* Bytes that the journal may reach, going by what else fills the volume now. */
uint64_t dir_capacity(const struct dir_space *, const struct dir_limits *);
/* NULL while there is room, else what is short, for the log. */
const char *dir_short(const struct dir_space *, const struct dir_limits *);
/* Less than twice the floor or within a tenth of the cap: time to remove early. */
bool dir_tight(const struct dir_space *, const struct dir_limits *);

#endif
