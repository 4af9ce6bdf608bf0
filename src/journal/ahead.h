/*
 * Zeros ahead of a WAL's end, so that a commit only writes over what is there. Where a
 * file grows, fsync has the file system commit its own log too: on ext4 three writes
 * and two flushes, one after the other, instead of two and one (decisions/0007).
 *
 * Only an optimization: what fails is left to SQLite, whose own writes go on.
 */
#ifndef JOURNAL_AHEAD_H
#define JOURNAL_AHEAD_H

#include <stdint.h>

struct ahead {
	int fd;			/* -1: none */
	uint64_t end;		/* zeros reach to here */
};

/* The file stays SQLite's; there are no locks on a WAL that a close would drop. */
void ahead_open(struct ahead *, const char *wal);
/* After a commit that wrote `turn` bytes and ended at `used`. Does not wait for the disk. */
void ahead_keep(struct ahead *, uint64_t used, uint64_t turn);
void ahead_close(struct ahead *);

#endif
