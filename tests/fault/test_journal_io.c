/*
 * The N-th system call of the journal fails, for every N until a run passes
 * untouched: each write, sync, truncation and open, with each error, once and for
 * ever. What was acknowledged must be there (INV-1); a turn is there whole or not at all.
 *
 * The calls are interposed: this program's definitions come before libc's for
 * libsqlite3 and for the journal alike. (Method: SQLite's do_ioerr_test.)
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "journal/dir.h"
#include "journal/journal.h"
#include "journal/segment.h"
#include "tools/rows.h"
#include "tools/tap.h"

enum call { PWRITE, WRITE, SYNC, TRUNCATE, OPEN, OPENDIR, READDIR };
static const char *const call_names[] = { "pwrite", "write", "sync", "ftruncate", "open" };

static struct {
	bool armed, for_ever;
	enum call call;
	int left;		/* successes before the failure */
	int error;		/* errno; 0: a short write */
	int hits;
} fault;

static bool
strikes(enum call call)
{
	if (!fault.armed || fault.call != call)
		return false;
	if (fault.left-- > 0)
		return false;
	if (!fault.for_ever)
		fault.armed = false;
	fault.hits++;
	errno = fault.error;
	return true;
}

#define REAL(name)	((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	if (strikes(PWRITE)) {
		if (fault.error)
			return -1;
		n = n > 1 ? n / 2 : n;
	}
	return REAL(pwrite64)(fd, p, n, at);
}

int
fdatasync(int fd)
{
	return strikes(SYNC) ? -1 : REAL(fdatasync)(fd);
}

int
fsync(int fd)
{
	return strikes(SYNC) ? -1 : REAL(fsync)(fd);
}

int
ftruncate64(int fd, off64_t n)
{
	return strikes(TRUNCATE) ? -1 : REAL(ftruncate64)(fd, n);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	if (strikes(WRITE)) {
		if (fault.error)
			return -1;
		n = n > 1 ? n / 2 : n;
	}
	return REAL(write)(fd, p, n);
}

/* Both names: which one a caller uses depends on how it was built. */
#define OPEN_AS(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list ap; \
		mode_t mode; \
		va_start(ap, flags); \
		mode = (mode_t)va_arg(ap, int); \
		va_end(ap); \
		return strikes(OPEN) ? -1 : REAL(open64)(path, flags, mode); \
	}
int plain_open(const char *, int, ...) __asm__("open");
OPEN_AS(plain_open)
OPEN_AS(open64)

DIR *
opendir(const char *path)
{
	return strikes(OPENDIR) ? NULL : REAL(opendir)(path);
}

struct dirent64 *
readdir64(DIR *d)
{
	return strikes(READDIR) ? NULL : REAL(readdir64)(d);
}

static struct uuid_source ids;
static char dir[256];

/* Two turns of three and two rows. Returns how many rows were acknowledged. */
static int
scenario(struct uuid u)
{
	struct journal *j;
	struct row rows[5];
	struct made_row made[5];
	char errmsg[256];
	int acked = 0;

	make_rows(rows, made, 5, 1);
	if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK)
		return 0;
	if (journal_append(j, rows, 3) == ERR_OK && journal_commit(j) == ERR_OK)
		acked = 3;
	if (journal_append(j, rows + 3, 2) == ERR_OK && journal_commit(j) == ERR_OK)
		acked = acked == 3 ? 5 : -1;	/* a turn after a failed one must not succeed */
	journal_close(&j);
	return acked;
}

static bool
count(void *arg, const struct row *r UNUSED)
{
	++*(int *)arg;
	return true;
}

/* What is in the journal afterwards, as the flusher would find it; -1: damage. */
static int
rows_found(void)
{
	struct dir_segment *list;
	struct segment *s;
	char errmsg[256];
	size_t n, i;
	int fd, rows = 0;

	if (dir_list(dir, &list, &n) != ERR_OK)
		return -1;
	for (i = 0; i < n && rows >= 0; i++) {
		if (dir_claim(dir, list[i].uuid, &fd) != ERR_OK) {
			rows = -1;
			break;
		}
		if (list[i].born) {
			if (dir_tail_check(dir, list[i].uuid, errmsg) != ERR_OK ||
			    segment_open(&s, dir, list[i].uuid, errmsg) != ERR_OK) {
				printf("# %s\n", errmsg);
				rows = -1;
			} else {
				if (segment_read(s, 0, count, &rows) != ERR_OK)
					rows = -1;
				segment_close(&s);
			}
		}
		if (dir_remove(dir, list[i].uuid) != ERR_OK)
			rows = -1;
		close(fd);
	}
	free(list);
	return rows;
}

static void
loop(enum call call, int error, bool for_ever)
{
	int n, acked, found, bad = 0;

	for (n = 0; n < 500; n++) {
		fault = (__typeof__(fault)){ .armed = true, .for_ever = for_ever, .call = call,
			.left = n, .error = error };
		acked = scenario(uuid_v7(&ids, clock_us()));
		fault.armed = false;
		found = rows_found();
		if (acked < 0 || found < acked || (found != 0 && found != 3 && found != 5)) {
			printf("# n=%d: %d acknowledged, %d found\n", n, acked, found);
			bad++;
		}
		if (fault.hits == 0)
			break;
	}
	is_int(bad, 0, "what was acknowledged is there, turns are whole");
	ok(n > 0 && n < 500, "%s, %s, %s: struck %d times, to the end", call_names[call],
	    error ? strerror(error) : "short", for_ever ? "for ever" : "once", n);
	is_int(acked, 5, "the untouched run acknowledges everything");
}

/* What cannot be read is neither empty nor at its end. */
static void
test_directory(void)
{
	static const enum call calls[] = { OPENDIR, READDIR };
	struct dir_segment *list;
	struct dir_space space;
	size_t i, n;

	for (i = 0; i < 2; i++) {
		fault = (__typeof__(fault)){ .armed = true, .for_ever = true, .call = calls[i],
			.left = (int)i, .error = EIO };
		is_int(dir_list(dir, &list, &n), ERR_IO, "a directory that cannot be read is not listed");
		free(list);
		fault.left = (int)i;
		is_int(dir_space(dir, &space), ERR_IO, "nor measured");
		fault.armed = false;
	}
}

/* A turn larger than SQLite's cache is still written at its end only (the tail check
 * counts on it), and not at all when that fails, which is final for the segment (INV-9). */
static void
test_large_turn(void)
{
	static char large[1 << 20];
	struct row rows[12], last;
	struct made_row made[12], made_last;
	struct journal *j;
	char errmsg[256];
	int i, early = 0, failed = 0, bad = 0;

	memset(large, 'x', sizeof large);
	for (i = 0; i < 6; i++) {
		make_rows(rows, made, 12, 1);
		make_rows(&last, &made_last, 1, 13);
		for (size_t k = 0; k < 12; k++)
			rows[k].payload = (struct slice){ large, sizeof large };
		if (journal_open(&j, dir, uuid_v7(&ids, clock_us()), "n1", errmsg) != ERR_OK)
			break;
		fault = (__typeof__(fault)){ .armed = true, .call = PWRITE, .left = 0, .error = ENOSPC };
		early += journal_append(j, rows, 12) != ERR_OK || fault.hits > 0;
		fault = (__typeof__(fault)){ .armed = true, .call = PWRITE, .left = i * 50, .error = ENOSPC };
		failed += journal_commit(j) != ERR_OK && fault.hits == 1;
		fault.armed = false;
		bad += journal_append(j, &last, 1) == ERR_OK || journal_commit(j) == ERR_OK;
		journal_close(&j);
		bad += rows_found() != 0;
	}
	is_int(early, 0, "12 MiB are not written before their commit");
	is_int(failed, 6, "which fails");
	is_int(bad, 0, "nothing after it is taken, nothing of the turn is there");
}

int
main(void)
{
	static const struct { enum call call; int error; } faults[] = {
		{ PWRITE, EIO }, { PWRITE, ENOSPC }, { PWRITE, EINTR }, { PWRITE, 0 },
		{ WRITE, EIO }, { WRITE, ENOSPC }, { WRITE, 0 },
		{ SYNC, EIO }, { SYNC, ENOSPC }, { TRUNCATE, EIO }, { TRUNCATE, ENOSPC },
		{ OPEN, EIO }, { OPEN, EMFILE }, { OPEN, ENOSPC },
	};
	size_t i;

	uuid_source_init(&ids);
	make_dir(dir);
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		loop(faults[i].call, faults[i].error, false);
		/* a write that is interrupted or short for ever would never end */
		if (faults[i].error != EINTR && faults[i].error != 0)
			loop(faults[i].call, faults[i].error, true);
	}
	test_large_turn();
	test_directory();
	remove_dir(dir);
	return done();
}
