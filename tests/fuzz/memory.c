#include "fuzz/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

#define FD_FIRST	(1 << 24)	/* above what the system gives */
#define REGION		32768		/* of a WAL's index: SQLite's */
#define REGIONS		4

struct memory_file memory_files[MEMORY_FILES] = { { .suffix = ".db" }, { .suffix = ".db-wal" } };
static char wal_index[REGIONS][REGION];
static bool index_there;

static bool
ours(const char *path)
{
	return strncmp(path, MEMORY_DIR "/", strlen(MEMORY_DIR "/")) == 0;
}

static bool
ends_in(const char *path, const char *suffix)
{
	size_t n = strlen(suffix), len = strlen(path);

	return len > n && strcmp(path + len - n, suffix) == 0;
}

static struct memory_file *
find(const char *path)
{
	size_t i;

	for (i = 0; ours(path) && i < MEMORY_FILES; i++)
		if (ends_in(path, memory_files[i].suffix))
			return &memory_files[i];
	return NULL;
}

/* --- for our own code ----------------------------------------------------------------- */

int __real_open64(const char *, int, ...);
int __real_close(int);
int __real_stat64(const char *, struct stat *);
int __real_fstat64(int, struct stat *);
ssize_t __real_pread64(int, void *, size_t, off_t);
int __wrap_open64(const char *, int, ...);
int __wrap_close(int);
int __wrap_stat64(const char *, struct stat *);
int __wrap_fstat64(int, struct stat *);
ssize_t __wrap_pread64(int, void *, size_t, off_t);

int
__wrap_open64(const char *path, int flags, ...)
{
	struct memory_file *f = find(path);
	mode_t mode = 0;
	va_list ap;

	if (f) {
		CHECK((flags & O_ACCMODE) == O_RDONLY);
		return FD_FIRST + (int)(f - memory_files);
	}
	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return __real_open64(path, flags, mode);
}

int
__wrap_close(int fd)
{
	return fd >= FD_FIRST ? 0 : __real_close(fd);
}

static int
size_of(const struct memory_file *f, struct stat *st)
{
	*st = (struct stat){ .st_mode = S_IFREG | 0600, .st_size = (off_t)f->n };
	return 0;
}

int
__wrap_stat64(const char *path, struct stat *st)
{
	static const struct memory_file index = { .n = REGION };
	const struct memory_file *f = find(path);

	if (!ours(path))
		return __real_stat64(path, st);
	if (!f && index_there && ends_in(path, ".db-shm"))
		f = &index;
	if (f)
		return size_of(f, st);
	errno = ENOENT;
	return -1;
}

int
__wrap_fstat64(int fd, struct stat *st)
{
	return fd >= FD_FIRST ? size_of(&memory_files[fd - FD_FIRST], st) : __real_fstat64(fd, st);
}

/* Up to n bytes from `at` on, as many as there are. */
static size_t
copy_out(const struct memory_file *f, void *out, size_t n, size_t at)
{
	size_t left = at < f->n ? f->n - at : 0;

	if (n > left)
		n = left;
	memcpy(out, f->p + (n ? at : 0), n);
	return n;
}

ssize_t
__wrap_pread64(int fd, void *out, size_t n, off_t at)
{
	return fd >= FD_FIRST ? (ssize_t)copy_out(&memory_files[fd - FD_FIRST], out, n, (size_t)at)
	    : __real_pread64(fd, out, n, at);
}

/* --- for SQLite ------------------------------------------------------------------------ */

struct handle { sqlite3_file base; struct memory_file *file; };

static int
m_ok(sqlite3_file *base UNUSED)
{
	return SQLITE_OK;
}

static int
m_flag_ok(sqlite3_file *base UNUSED, int flag UNUSED)
{
	return SQLITE_OK;
}

static int
m_read(sqlite3_file *base, void *out, int n, sqlite3_int64 at)
{
	size_t got = copy_out(((struct handle *)base)->file, out, (size_t)n, (size_t)at);

	if (got == (size_t)n)
		return SQLITE_OK;
	memset((char *)out + got, 0, (size_t)n - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int
m_write(sqlite3_file *base UNUSED, const void *p UNUSED, int n UNUSED, sqlite3_int64 at UNUSED)
{
	check_failed("a reader writes", __FILE__, __LINE__);
	return SQLITE_IOERR;
}

static int
m_truncate(sqlite3_file *base UNUSED, sqlite3_int64 n UNUSED)
{
	check_failed("a reader truncates", __FILE__, __LINE__);
	return SQLITE_IOERR;
}

static int
m_size(sqlite3_file *base, sqlite3_int64 *n)
{
	*n = (sqlite3_int64)((struct handle *)base)->file->n;
	return SQLITE_OK;
}

static int
m_reserved(sqlite3_file *base UNUSED, int *out)
{
	*out = 0;
	return SQLITE_OK;
}

static int
m_control(sqlite3_file *base UNUSED, int op UNUSED, void *arg UNUSED)
{
	return SQLITE_NOTFOUND;
}

static int
m_index_map(sqlite3_file *base UNUSED, int region, int size, int extend UNUSED, void volatile **out)
{
	*out = NULL;
	if (region >= REGIONS || size != REGION)
		return SQLITE_IOERR_SHMSIZE;
	*out = wal_index[region];
	return SQLITE_OK;
}

static int
m_index_lock(sqlite3_file *base UNUSED, int at UNUSED, int n UNUSED, int flags UNUSED)
{
	return SQLITE_OK;
}

static void
m_index_barrier(sqlite3_file *base UNUSED)
{
}

static const sqlite3_io_methods methods = {
	.iVersion = 2, .xClose = m_ok, .xRead = m_read, .xWrite = m_write, .xTruncate = m_truncate,
	.xSync = m_flag_ok, .xFileSize = m_size, .xLock = m_flag_ok, .xUnlock = m_flag_ok,
	.xCheckReservedLock = m_reserved, .xFileControl = m_control, .xSectorSize = m_ok,
	.xDeviceCharacteristics = m_ok, .xShmMap = m_index_map, .xShmLock = m_index_lock,
	.xShmBarrier = m_index_barrier, .xShmUnmap = m_flag_ok,
};

static int
m_open(sqlite3_vfs *vfs UNUSED, const char *path, sqlite3_file *base, int flags, int *out)
{
	struct handle *h = (struct handle *)base;

	*h = (struct handle){ .file = path ? find(path) : NULL };
	if (!h->file)
		return SQLITE_CANTOPEN;
	h->base.pMethods = &methods;
	if (out)
		*out = flags;
	return SQLITE_OK;
}

static int
m_delete(sqlite3_vfs *vfs UNUSED, const char *path UNUSED, int sync UNUSED)
{
	check_failed("a reader deletes", __FILE__, __LINE__);
	return SQLITE_IOERR_DELETE;
}

static int
m_access(sqlite3_vfs *vfs UNUSED, const char *path, int how UNUSED, int *out)
{
	*out = find(path) != NULL;
	return SQLITE_OK;
}

static int
m_full_path(sqlite3_vfs *vfs UNUSED, const char *path, int n, char *out)
{
	sqlite3_snprintf(n, out, "%s", path);
	return SQLITE_OK;
}

/* --- SQLite's memory -------------------------------------------------------------------- */

/*
 * One piece behind the other, all free at once: malloc takes longer than what is read. What
 * is not in use is poisoned, so the sanitizer sees who reads beyond a value or after it.
 */
#define ARENA	(4 << 20)
#define HEAD	32		/* before each piece: its size, and what nobody may read */
#define BEFORE(p)	(*(size_t *)((char *)(p) - HEAD))

static _Alignas(16) char arena[ARENA];
static size_t arena_used, arena_kept, arena_pieces;	/* kept: SQLite's own, for good */

#ifdef __has_feature			/* clang's */
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)		((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n)	((void)(p), (void)(n))
#endif

static int
a_round(int n)
{
	return (n + 15) & ~15;
}

static void *
a_malloc(int n)
{
	char *p = arena + arena_used + HEAD;

	CHECK(n > 0 && (size_t)n <= ARENA - arena_used - 2 * HEAD);
	arena_used += HEAD + (size_t)a_round(n);
	arena_pieces++;
	ASAN_UNPOISON_MEMORY_REGION(p - HEAD, sizeof(size_t));
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	BEFORE(p) = (size_t)n;
	return p;
}

static void
a_free(void *p)
{
	if (!p)
		return;
	ASAN_POISON_MEMORY_REGION(p, BEFORE(p));
	if (--arena_pieces == 0)
		arena_used = arena_kept;
}

static int
a_size(void *p)
{
	return p ? (int)BEFORE(p) : 0;
}

static void *
a_realloc(void *old, int n)
{
	void *p = a_malloc(n);

	memcpy(p, old, BEFORE(old) < (size_t)n ? BEFORE(old) : (size_t)n);
	a_free(old);
	return p;
}

static int
a_init(void *arg UNUSED)
{
	ASAN_POISON_MEMORY_REGION(arena, sizeof arena);
	return SQLITE_OK;
}

static void
a_end(void *arg UNUSED)
{
}

static const sqlite3_mem_methods arena_methods = {
	a_malloc, a_free, a_realloc, a_size, a_round, a_init, a_end, NULL,
};

void
memory_begin(void)
{
	static sqlite3_vfs vfs;

	CHECK(sqlite3_shutdown() == SQLITE_OK && sqlite3_config(SQLITE_CONFIG_MALLOC, &arena_methods) == SQLITE_OK);
	CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK && sqlite3_initialize() == SQLITE_OK);
	vfs = *sqlite3_vfs_find(NULL);
	vfs.zName = "unix-none";	/* which is asked for by name where there is no index */
	vfs.szOsFile = sizeof(struct handle);
	vfs.xOpen = m_open;
	vfs.xDelete = m_delete;
	vfs.xAccess = m_access;
	vfs.xFullPathname = m_full_path;
	CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
	arena_kept = arena_used;
	arena_pieces = 0;
}

void
memory_index(bool there)
{
	index_there = there;
	memset(wal_index[0], 0, REGION);	/* the others count by what stands in it */
}
