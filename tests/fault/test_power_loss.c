/*
 * Power loss. A writer runs in a child whose writes, truncations, syncs, new and
 * removed names are recorded; at some sync it dies. Then the disk is made as a power
 * cut may leave it: what was synced is there; of the rest each write may be whole,
 * missing, or torn at 512 bytes, in any mixture; names not synced with their directory
 * may be missing; SQLite's shared memory is stale or gone. What the flusher finds
 * there must hold every acknowledged row (INV-1, INV-7), in whole turns and without a hole,
 * and must never be taken for damage (INV-11).
 *
 * The second half is the order of events that lost rows in other designs: kill, flush,
 * power loss, restart, write, flush.
 *
 * FAULT_POWER_LOSSES (150), FAULT_SEED. Method: SQLite's test6.c, as a log of system
 * calls instead of a VFS, so that our own calls are in it too.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "journal/dir.h"
#include "journal/journal.h"
#include "journal/segment.h"
#include "tools/rows.h"
#include "tools/tap.h"

#define LOG_BYTES	(32 * 1024 * 1024)
#define FILES_MAX	64
#define ROWS_MAX	512
#define SECTOR		512

enum op { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_CREATE, OP_UNLINK, OP_SYNC_DIR };

struct record { enum op op; int file; int64_t at; size_t n; };	/* n bytes follow a write */

/* Shared with the child. */
static struct shared {
	size_t used;			/* of log */
	char names[FILES_MAX][64];
	int n_files;
	int die_at;			/* which sync; 0: none */
	int syncs;
	int acked;			/* rows 1..acked are acknowledged */
	int tried;			/* rows appended at most */
	_Alignas(struct record) char log[LOG_BYTES];
} *sh;

static bool recording;
static char dir[256];			/* where the child writes */
static int fd_file[1024];		/* file index + 1, or -1 for the directory, by fd */
static unsigned seed;

static unsigned
chance(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

#define REAL(name)	((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* --- recording ------------------------------------------------------------------- */

/* With what follows it, and up to where the next one may stand. */
static size_t
record_size(const struct record *r)
{
	size_t n = sizeof *r + (r->op == OP_WRITE ? r->n : 0);

	return (n + _Alignof(struct record) - 1) & ~(_Alignof(struct record) - 1);
}

static void
note(enum op op, int file, int64_t at, const void *p, size_t n)
{
	const struct record r = { op, file, at, n };

	if (sh->used + sizeof r + n + _Alignof(struct record) > LOG_BYTES)
		_exit(3);
	memcpy(sh->log + sh->used, &r, sizeof r);
	if (p)
		memcpy(sh->log + sh->used + sizeof r, p, n);
	sh->used += record_size(&r);
}

static int
file_of(const char *path)
{
	const char *name = strrchr(path, '/');
	int i;

	if (!name || strncmp(path, dir, strlen(dir)) != 0 || strstr(name, "-shm"))
		return -1;
	for (i = 0; i < sh->n_files; i++)
		if (strcmp(sh->names[i], name + 1) == 0)
			return i;
	if (sh->n_files == FILES_MAX)
		_exit(3);
	snprintf(sh->names[sh->n_files], sizeof sh->names[0], "%.63s", name + 1);
	return sh->n_files++;
}

static int
tracked(int fd)
{
	return recording && fd >= 0 && fd < 1024 ? fd_file[fd] : 0;
}

static int
opened(const char *path, int flags, mode_t mode)
{
	struct stat st;
	bool is_new;
	int fd, file;

	is_new = recording && (flags & O_CREAT) && stat(path, &st) != 0;
	fd = REAL(open64)(path, flags, mode);
	if (!recording || fd < 0 || fd >= 1024)
		return fd;
	fd_file[fd] = 0;
	if (strcmp(path, dir) == 0) {
		fd_file[fd] = -1;
	} else if ((file = file_of(path)) >= 0) {
		fd_file[fd] = file + 1;
		if (is_new)
			note(OP_CREATE, file, 0, NULL, 0);
	}
	return fd;
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
		return opened(path, flags, mode); \
	}
int plain_open(const char *, int, ...) __asm__("open");
OPEN_AS(plain_open)
OPEN_AS(open64)

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	if (tracked(fd) > 0)
		note(OP_WRITE, fd_file[fd] - 1, at, p, n);
	return REAL(pwrite64)(fd, p, n, at);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	if (tracked(fd) > 0)
		note(OP_WRITE, fd_file[fd] - 1, lseek(fd, 0, SEEK_CUR), p, n);
	return REAL(write)(fd, p, n);
}

int
ftruncate64(int fd, off64_t n)
{
	if (tracked(fd) > 0)
		note(OP_TRUNCATE, fd_file[fd] - 1, n, NULL, 0);
	return REAL(ftruncate64)(fd, n);
}

static int
synced(int fd)
{
	int file = tracked(fd);

	if (file == 0)
		return 0;
	if (++sh->syncs == sh->die_at)
		_exit(0);		/* the power goes before it has happened */
	note(file < 0 ? OP_SYNC_DIR : OP_SYNC, file < 0 ? -1 : file - 1, 0, NULL, 0);
	return 0;			/* nothing real to wait for */
}

int
fsync(int fd)
{
	return synced(fd);
}

int
fdatasync(int fd)
{
	return synced(fd);
}

int
unlink(const char *path)
{
	int file = recording ? file_of(path) : -1;

	if (file >= 0)
		note(OP_UNLINK, file, 0, NULL, 0);
	return REAL(unlink)(path);
}

/* --- the disk after the cut --------------------------------------------------------- */

struct image { char *p; size_t n, room; };

struct disk_file {
	bool exists, durable_name;	/* now; and in what is synced of the directory */
	struct image durable;
	size_t pending[4096];		/* offsets in the log of what was not synced */
	int n_pending;
};

static struct disk_file disk[FILES_MAX];

static void
resize(struct image *i, size_t n)
{
	if (n > i->room) {
		i->room = n * 2;
		i->p = realloc(i->p, i->room);
		if (!i->p)
			exit(1);
	}
	if (n > i->n)
		memset(i->p + i->n, 0, n - i->n);
	i->n = n;
}

static void
apply_bytes(struct image *i, int64_t at, const char *p, size_t n)
{
	if ((size_t)at + n > i->n)
		resize(i, (size_t)at + n);
	memcpy(i->p + at, p, n);
}

static void
apply(struct image *i, size_t at)
{
	const struct record *r = (const void *)(sh->log + at);

	if (r->op == OP_TRUNCATE)
		resize(i, (size_t)r->at);
	else
		apply_bytes(i, r->at, (const char *)(r + 1), r->n);
}

/* Some sectors of a write. */
static void
apply_torn(struct image *i, size_t at)
{
	const struct record *r = (const void *)(sh->log + at);
	size_t k, n;

	for (k = 0; r->op == OP_WRITE && k < r->n; k += n) {
		n = SECTOR - (size_t)(r->at + (int64_t)k) % SECTOR;
		if (n > r->n - k)
			n = r->n - k;
		if (chance(2))
			apply_bytes(i, r->at + (int64_t)k, (const char *)(r + 1) + k, n);
	}
}

static void
sync_file(struct disk_file *f)
{
	int i;

	for (i = 0; i < f->n_pending; i++)
		apply(&f->durable, f->pending[i]);
	f->n_pending = 0;
}

static void
replay(void)
{
	const struct record *r;
	size_t at;
	int i;

	for (at = 0; at < sh->used; at += record_size(r)) {
		r = (const void *)(sh->log + at);
		switch (r->op) {
		case OP_CREATE:
			disk[r->file].exists = true;
			break;
		case OP_UNLINK:
			disk[r->file].exists = false;
			break;
		case OP_SYNC:
			sync_file(&disk[r->file]);
			break;
		case OP_SYNC_DIR:
			for (i = 0; i < sh->n_files; i++)
				disk[i].durable_name = disk[i].exists;
			break;
		case OP_WRITE:
		case OP_TRUNCATE:
			if (disk[r->file].n_pending == 4096)
				exit(1);
			disk[r->file].pending[disk[r->file].n_pending++] = at;
			break;
		}
	}
}

static void
write_file(const char *to, const char *name, const struct image *i)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", to, name);
	f = fopen(path, "w");
	if (!f || (i->n > 0 && fwrite(i->p, 1, i->n, f) != i->n) || fclose(f) != 0)
		exit(1);
}

/* Mixtures: nothing more than was synced, everything, or each write as chance has it. */
static void
cut(const char *to)
{
	unsigned mix = chance(4);
	struct disk_file *f;
	int i, k;

	memset(disk, 0, sizeof disk);
	replay();
	for (i = 0; i < sh->n_files; i++) {
		f = &disk[i];
		if (!f->durable_name && !(f->exists && chance(2)))
			continue;
		if (f->durable_name && !f->exists && chance(2))
			continue;		/* its removal got through */
		for (k = 0; k < f->n_pending; k++) {
			if (mix == 1 || (mix == 2 && chance(2)))
				apply(&f->durable, f->pending[k]);
			else if (mix == 3 && chance(3) > 0)
				apply_torn(&f->durable, f->pending[k]);
		}
		write_file(to, sh->names[i], &f->durable);
	}
	for (i = 0; i < sh->n_files; i++)
		free(disk[i].durable.p);
}

/* --- the writer ---------------------------------------------------------------------- */

/* Row n carries n; some are longer than a page. */
static enum err
put(struct journal *j, int n, int from)
{
	static struct row rows[32];
	static struct made_row made[32];
	static char big[32][12000];
	int i;
	enum err e;

	make_rows(rows, made, (size_t)n, from);
	for (i = 0; i < n; i++)
		if (chance(4) == 0) {
			memset(big[i], 'x', sizeof big[i]);
			memcpy(big[i], made[i].payload, strlen(made[i].payload));
			rows[i].payload = (struct slice){ big[i], 1000 + chance(11000) };
		}
	sh->tried = from + n - 1;
	e = journal_append(j, rows, (size_t)n);
	if (e == ERR_OK)
		e = journal_commit(j);
	if (e == ERR_OK)
		sh->acked = from + n - 1;
	return e;
}

static void
writer(int from)
{
	struct uuid_source ids;
	struct journal *j;
	char errmsg[256];
	int turns = 1 + (int)chance(5), segments = 1 + (int)chance(3), next = from, n, s, t;

	uuid_source_init(&ids);
	recording = true;
	for (s = 0; s < segments; s++) {
		if (journal_open(&j, dir, uuid_v7(&ids, clock_us()), "n1", errmsg) != ERR_OK)
			_exit(2);
		for (t = 0; t < turns; t++, next += n) {
			n = 1 + (int)chance(8);
			if (put(j, n, next) != ERR_OK)
				_exit(2);
		}
		journal_close(&j);
	}
	_exit(0);
}

/* Runs a writer of rows from.. that dies at its sync number die_at. */
static bool
run_writer(int from, int die_at)
{
	pid_t pid;
	int status;

	sh->used = 0;
	sh->n_files = sh->syncs = 0;
	sh->die_at = die_at;
	sh->acked = sh->tried = from - 1;
	seed = (unsigned)rand_r(&seed);
	pid = fork();
	if (pid == 0)
		writer(from);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- the flusher ------------------------------------------------------------------------ */

static struct {
	int times[ROWS_MAX];		/* how often row n arrived */
	struct { struct uuid segment; int64_t progress; } seg[64];
	int n_seg;
} database;

static int64_t *
progress_of(struct uuid u)
{
	int i;

	for (i = 0; i < database.n_seg; i++)
		if (memcmp(&database.seg[i].segment, &u, sizeof u) == 0)
			return &database.seg[i].progress;
	if (database.n_seg == 64)
		exit(1);
	database.seg[database.n_seg].segment = u;
	database.seg[database.n_seg].progress = 0;
	return &database.seg[database.n_seg++].progress;
}

static bool
load(void *arg, const struct row *r)
{
	char id[40];
	long n;

	snprintf(id, sizeof id, "%.*s", (int)r->id.n, r->id.p);
	n = strtol(id + 3, NULL, 10);
	if (n > 0 && n < ROWS_MAX)
		database.times[n]++;
	*(int64_t *)arg = r->seq;
	return true;
}

/* As forebay-flusher does it: past progress, claimed or not. "" or what is wrong. */
static const char *
flush(const char *where)
{
	static char why[300];
	struct dir_segment *list;
	struct segment *s;
	int64_t *progress;
	size_t n, i;
	int fd;
	enum err e;

	why[0] = '\0';
	if (dir_list(where, &list, &n) != ERR_OK)
		return "the directory cannot be listed";
	for (i = 0; i < n && !why[0]; i++) {
		if (!list[i].born)
			continue;
		if (dir_claim(where, list[i].uuid, &fd) != ERR_OK)
			snprintf(why, sizeof why, "not to be claimed");
		else if (dir_tail_check(where, list[i].uuid, why) == ERR_OK &&
		    segment_open(&s, where, list[i].uuid, why) == ERR_OK) {
			why[0] = '\0';
			progress = progress_of(list[i].uuid);
			e = segment_read(s, *progress, load, progress);
			if (e != ERR_OK)
				snprintf(why, sizeof why, "%s: %s", err_name(e), segment_errmsg(s));
			segment_close(&s);
		}
		close(fd);
	}
	free(list);
	return why;
}

/* --- the two stories ------------------------------------------------------------------- */

static int failures;

static void
complain(unsigned run_seed, const char *story, const char *what, int n)
{
	failures++;
	printf("# FAULT_SEED=%u %s: %s %d (acked %d, tried %d, died at sync %d of %d)\n", run_seed, story,
	    what, n, sh->acked, sh->tried, sh->die_at, sh->syncs);
}

static void
fresh_dirs(char after[256])
{
	if (dir[0])
		remove_dir(dir);
	if (after[0])
		remove_dir(after);
	make_dir(dir);
	make_dir(after);
	memset(&database, 0, sizeof database);
}

/* Every acknowledged row once, none twice, and the rest only in order. */
static void
judge(unsigned run_seed, const char *story, int from, int acked, int tried)
{
	bool gap = false;
	int n;

	for (n = from; n <= acked; n++)
		if (database.times[n] != 1)
			complain(run_seed, story, database.times[n] ? "twice: row" : "lost: row", n);
	for (n = acked + 1; n <= tried; n++) {
		if (database.times[n] > 1 || (gap && database.times[n]))
			complain(run_seed, story, "out of order or twice: row", n);
		gap = gap || database.times[n] == 0;
	}
}

static void
cut_story(unsigned run_seed, char after[256])
{
	const char *why;

	seed = run_seed;
	fresh_dirs(after);
	if (!run_writer(1, 1 + (int)chance(60)))
		complain(run_seed, "cut", "the writer failed", 0);
	cut(after);
	why = flush(after);
	if (*why)
		complain(run_seed, "cut", why, 0);
	judge(run_seed, "cut", 1, sh->acked, sh->tried);
}

static void
restart_story(unsigned run_seed, char after[256])
{
	char swap[256];
	const char *why;
	int acked, tried;

	seed = run_seed;
	fresh_dirs(after);
	if (!run_writer(1, 1 + (int)chance(60)))
		complain(run_seed, "restart", "the writer failed", 0);
	acked = sh->acked;
	tried = sh->tried;
	why = flush(dir);		/* killed only: the page cache is whole */
	if (*why)
		complain(run_seed, "restart, first flush", why, 0);
	cut(after);
	memcpy(swap, dir, sizeof swap);	/* the machine comes back with what the cut left */
	memcpy(dir, after, sizeof dir);
	memcpy(after, swap, sizeof swap);
	if (!run_writer(tried + 1, 0))
		complain(run_seed, "restart", "the second writer failed", 0);
	why = flush(dir);
	if (*why)
		complain(run_seed, "restart, second flush", why, 0);
	judge(run_seed, "restart, first run", 1, acked, tried);
	judge(run_seed, "restart, second run", tried + 1, sh->acked, sh->tried);
	if (sh->acked != sh->tried)
		complain(run_seed, "restart", "the second writer was not acknowledged", sh->acked);
}

int
main(void)
{
	const char *count = getenv("FAULT_POWER_LOSSES"), *given = getenv("FAULT_SEED");
	unsigned first = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL), i;
	unsigned n = given && !count ? 1 : count ? (unsigned)strtoul(count, NULL, 10) : 150;
	unsigned some_acked = 0, cut_short = 0;
	char after[256] = "";

	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		return 1;
	printf("# seed %u\n", first);
	for (i = 0; i < n; i++) {
		cut_story(first + i, after);
		some_acked += sh->acked > 0;
		cut_short += sh->syncs == sh->die_at;
		restart_story(first + i, after);
	}
	is_int(failures, 0, "nothing acknowledged is lost, nothing arrives twice, nothing is taken for damage");
	ok(n == 1 || (some_acked > n / 8 && cut_short > n / 8),
	    "%u power losses: %u in mid-run, %u after an acknowledgement", 2 * n, cut_short, some_acked);
	remove_dir(dir);
	remove_dir(after);
	return done();
}
