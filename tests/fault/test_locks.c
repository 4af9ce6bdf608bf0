/*
 * What a living writer holds: SQLite's locks on database and shared memory are POSIX
 * locks, and vanish when the process closes any other descriptor of the file (INV-6). A reader
 * would then take the segment for an abandoned one and recover it beneath its writer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/journal.h"
#include "journal/segment.h"
#include "tools/rows.h"
#include "tools/tap.h"

#define SHARED_FIRST	0x40000002	/* SQLite's locking bytes: https://sqlite.org/src/file/src/os_unix.c */
#define SHARED_SIZE	510
#define DMS		128		/* the "dead man switch" byte of the -shm */

static char dir[256], errmsg[256];
static struct uuid_source ids;
static unsigned taken;			/* how often somebody else holds the lock */

/* In the C library's place. */
int
flock(int fd, int op)
{
	if (taken > 0) {
		taken--;
		errno = EWOULDBLOCK;
		return -1;
	}
	return (int)syscall(SYS_flock, fd, op);
}

/* Does another process find a lock on these bytes? Asked in a child, which owns none. */
static bool
locked(struct uuid u, const char *suffix, off_t at, off_t n)
{
	char path[400], text[UUID_TEXT];
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = n };
	int status = 0, fd;
	pid_t child = fork();

	if (child == 0) {
		snprintf(path, sizeof path, "%s/%s%s", dir, uuid_text(u, text), suffix);
		fd = open(path, O_RDWR);
		_exit(fd >= 0 && fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static void
is_held(struct uuid u, const char *when)
{
	ok(locked(u, ".db", SHARED_FIRST, SHARED_SIZE), "%s: the database is locked", when);
	ok(locked(u, ".db-shm", DMS, 1), "%s: the shared memory is locked", when);
}

static void
put(struct journal *j, int64_t from)
{
	struct row rows[3];
	struct made_row made[3];

	make_rows(rows, made, 3, from);
	ok(journal_append(j, rows, 3) == ERR_OK && journal_commit(j) == ERR_OK, "three rows commit");
}

int
main(void)
{
	struct journal *j;
	struct uuid u;

	uuid_source_init(&ids);
	make_dir(dir);
	u = uuid_v7(&ids, clock_us());
	if (!ok(journal_open(&j, dir, u, "n1", errmsg) == ERR_OK, "a segment opens"))
		return done();
	is_held(u, "after birth");
	put(j, 1);
	is_held(u, "after a commit");
	ok(journal_intact(j), "its files are looked after");
	is_held(u, "after that");
	put(j, 4);
	is_held(u, "after the next");
	journal_close(&j);
	ok(!locked(u, ".db", SHARED_FIRST, SHARED_SIZE), "closed: nothing is locked");
	ok(journal_open(&j, dir, u, "n1", errmsg) != ERR_OK, "the name of a segment is never used again (INV-8)");

	taken = 4;
	ok(journal_begin(&j, dir, &ids, "n1", errmsg) == ERR_OK && taken == 0,
	    "a flusher that takes the lock files of new segments: there is one in the end");
	journal_close(&j);
	taken = 1000;
	ok(journal_begin(&j, dir, &ids, "n1", errmsg) == ERR_BUSY && taken > 900, "but it is not tried for ever");
	remove_dir(dir);
	return done();
}
