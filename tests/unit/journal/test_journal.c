/* The journal through its contract: what is committed is read back, by whom, and when. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/dir.h"
#include "journal/journal.h"
#include "journal/query.h"
#include "journal/segment.h"
#include "journal/sqlite.h"
#include "tools/rows.h"
#include "tools/tap.h"

static struct uuid_source ids;
static char dir[256], errmsg[256];

static struct journal *
begin(void)
{
	struct journal *j = NULL;

	if (!ok(journal_open(&j, dir, uuid_v7(&ids, clock_us()), "n1", errmsg) == ERR_OK, "a segment opens"))
		printf("# %s\n", errmsg);
	return j;
}

static enum err
put(struct journal *j, size_t n, int64_t from)
{
	struct row rows[100];
	struct made_row made[100];
	enum err e;

	make_rows(rows, made, n, from);
	e = journal_append(j, rows, n);
	return e == ERR_OK ? journal_commit(j) : e;
}

struct seen { int64_t rows, first; bool good; };

static bool
look(void *arg, const struct row *r)
{
	struct seen *s = arg;
	struct row want;
	struct made_row made;

	make_rows(&want, &made, 1, r->seq);
	if (s->rows++ == 0)
		s->first = r->seq;
	s->good = s->good && slice_eq(r->payload, want.payload) && slice_eq(r->id, want.id) &&
	    slice_eq(r->context, want.context) && r->received_at == want.received_at &&
	    !r->source.p && r->key.p && r->key.n == 0;
	return true;
}

static enum err
read_all(struct uuid u, int64_t after, struct seen *s)
{
	struct segment *seg;
	enum err e = segment_open(&seg, dir, u, errmsg);

	*s = (struct seen){ .good = true };
	if (e != ERR_OK)
		return e;
	e = segment_read(seg, after, look, s);
	segment_close(&seg);
	return e;
}

static void
test_round_trip(void)
{
	struct journal *j = begin();
	struct uuid u = journal_segment(j);
	struct seen s;
	int fd;

	ok(put(j, 3, 1) == ERR_OK && put(j, 1, 4) == ERR_OK && put(j, 96, 5) == ERR_OK, "100 rows commit");
	is_int(journal_last_seq(j), 100, "last seq");
	ok(read_all(u, 0, &s) == ERR_OK && s.good, "a reader beside the writer finds them unchanged");
	is_int(s.rows, 100, "all of them");
	ok(read_all(u, 6, &s) == ERR_OK && s.good, "a read that begins inside a request has its context");
	is_int(s.first, 7, "from the right row");
	ok(dir_claim(dir, u, &fd) == ERR_BUSY, "a living writer's segment cannot be claimed");
	ok(journal_intact(j), "the WAL is intact");
	journal_close(&j);
	ok(dir_claim(dir, u, &fd) == ERR_OK, "after it is closed it can");
	ok(dir_tail_check(dir, u, errmsg) == ERR_OK, "its tail is good");
	ok(read_all(u, 0, &s) == ERR_OK && s.good && s.rows == 100, "and every row is there");
	ok(dir_remove(dir, u) == ERR_OK, "it is removed");
	close(fd);
}

static void
test_uncommitted(void)
{
	struct journal *j = begin();
	struct uuid u = journal_segment(j);
	struct row row;
	struct made_row made;
	struct seen s;

	ok(put(j, 1, 1) == ERR_OK, "one row commits");
	make_rows(&row, &made, 1, 2);
	ok(journal_append(j, &row, 1) == ERR_OK, "a second is appended");
	is_int(row.seq, 2, "its seq is known");
	ok(read_all(u, 0, &s) == ERR_OK && s.rows == 1, "but nobody sees it before the commit");
	journal_close(&j);
	ok(read_all(u, 0, &s) == ERR_OK && s.rows == 1, "nor after a close without one");
	ok(dir_remove(dir, u) == ERR_OK, "it is removed");
}

static void
test_killed_writer(void)
{
	struct uuid u = uuid_v7(&ids, clock_us());
	struct seen s;
	pid_t pid = fork();
	int fd = -1, status;

	if (pid == 0) {
		struct journal *j;

		if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK || put(j, 50, 1) != ERR_OK)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status), "a writer dies by kill -9");
	ok(dir_claim(dir, u, &fd) == ERR_OK, "its segment can be claimed");
	ok(dir_tail_check(dir, u, errmsg) == ERR_OK, "its tail is good");
	ok(read_all(u, 0, &s) == ERR_OK && s.good && s.rows == 50, "all that was committed is there");
	ok(dir_remove(dir, u) == ERR_OK, "it is removed");
	close(fd);
}

/* INV-7: nothing was acknowledged from a segment without the mark of birth. */
static void
test_empty_and_stillborn(void)
{
	struct journal *j = begin();
	struct uuid u = journal_segment(j);
	struct dir_segment *list;
	char path[512], text[UUID_TEXT];
	size_t n;
	int fd = -1;

	journal_close(&j);
	ok(dir_list(dir, &list, &n) == ERR_OK && n == 0, "a segment that never held a row leaves nothing");
	free(list);
	u = uuid_v7(&ids, clock_us());
	snprintf(path, sizeof path, "%s/%s.lock", dir, uuid_text(u, text));
	close(open(path, O_CREAT | O_RDWR, 0600));
	ok(dir_list(dir, &list, &n) == ERR_OK && n == 1 && !list[0].born, "one that died at birth is told apart");
	free(list);
	ok(dir_claim(dir, u, &fd) == ERR_OK && dir_remove(dir, u) == ERR_OK, "and goes");
	close(fd);
}

static void
flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char c;

	if (fd >= 0 && pread(fd, &c, 1, at) == 1) {
		c ^= 0x10;
		if (pwrite(fd, &c, 1, at) != 1)
			perror(path);
	}
	close(fd);
}

/* A flipped bit anywhere must be noticed by the tail check or by the reader: rows
 * may be missing only when somebody says so (INV-11). */
static void
test_flipped_bits(void)
{
	struct journal *j;
	struct uuid u;
	struct seen s = { .rows = 0 };
	char wal[512], text[UUID_TEXT];
	int64_t bytes;
	off_t at;
	int i, k, noticed = 0, silent = 0;
	enum err e;

	for (i = 0; i < 40; i++) {
		if (journal_open(&j, dir, uuid_v7(&ids, clock_us()), "n1", errmsg) != ERR_OK)
			break;
		u = journal_segment(j);
		for (k = 0; k < 10; k++)
			if (put(j, 2, 1 + 2 * k) != ERR_OK)
				printf("# %s\n", journal_errmsg(j));
		bytes = (int64_t)journal_bytes(j);	/* behind them lie zeros */
		journal_close(&j);
		snprintf(wal, sizeof wal, "%s/%s.db-wal", dir, uuid_text(u, text));
		at = bytes * i / 40;
		flip(wal, at);
		e = dir_tail_check(dir, u, errmsg);
		if (e == ERR_OK)
			e = read_all(u, 0, &s);
		if (e == ERR_CORRUPT) {
			noticed++;
		} else if (s.rows < 18) {	/* the last commit may look unfinished */
			silent++;
			printf("# bit at %lld of %lld: %lld rows, error %d\n", (long long)at,
			    (long long)bytes, (long long)s.rows, (int)e);
		}
		if (dir_remove(dir, u) != ERR_OK)
			break;
	}
	is_int(i, 40, "40 segments with one flipped bit each");
	is_int(silent, 0, "none loses rows in silence");
	ok(noticed > 30, "most are noticed at once (%d)", noticed);
}

/* A segment with many small turns has zeros behind its frames, which nobody takes for more. */
static void
test_ahead(void)
{
	struct journal *j;
	struct stat st = { .st_size = 0 };
	struct uuid u = uuid_v7(&ids, clock_us());
	char wal[512], text[UUID_TEXT];
	struct seen s;
	int64_t bytes;
	int k, grown = 0;

	if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK)
		return;
	snprintf(wal, sizeof wal, "%s/%s.db-wal", dir, uuid_text(u, text));
	for (k = 0; k < 200; k++) {
		bytes = st.st_size;
		if (put(j, 2, 1 + 2 * k) != ERR_OK || stat(wal, &st) != 0)
			break;
		grown += st.st_size > bytes;
	}
	ok(k == 200 && grown < 60, "the file grows seldom: %d times in %d turns", grown, k);
	bytes = (int64_t)journal_bytes(j);
	ok(bytes > 200 * 4096 && st.st_size > bytes, "it is ahead of what is in it");
	ok(read_all(u, 0, &s) == ERR_OK && s.rows == 400 && s.good, "all rows are read while it is written");
	journal_close(&j);
	ok(dir_tail_check(dir, u, errmsg) == ERR_OK && read_all(u, 0, &s) == ERR_OK && s.rows == 400 &&
	    dir_remove(dir, u) == ERR_OK, "and when its writer has gone");
}

/* INV-10: rows stay in the WAL. SQLite by itself would move them into the database after 1,000
 * pages, and when the last connection closes, and then write the WAL from its beginning. */
static void
test_no_checkpoint(void)
{
	static char large[1 << 20];
	struct journal *j = begin();
	struct uuid u = journal_segment(j);
	struct row rows[2];
	struct made_row made[2];
	char db[512], text[UUID_TEXT];
	struct stat born, st;
	int i;

	memset(large, 'x', sizeof large);
	snprintf(db, sizeof db, "%s/%s.db", dir, uuid_text(u, text));
	ok(stat(db, &born) == 0 && born.st_size > 0, "a database has its schema from birth");
	for (i = 0; i < 4; i++) {
		make_rows(rows, made, 2, 1 + 2 * i);
		rows[0].payload = rows[1].payload = (struct slice){ large, sizeof large };
		if (journal_append(j, rows, 2) != ERR_OK || journal_commit(j) != ERR_OK)
			break;
	}
	ok(i == 4 && journal_bytes(j) > 8 << 20, "2,000 pages are in the WAL");
	ok(stat(db, &st) == 0 && st.st_size == born.st_size, "the database does not grow while its WAL is written");
	journal_close(&j);
	ok(stat(db, &st) == 0 && st.st_size == born.st_size, "the database does not grow when its writer closes it");
	ok(dir_remove(dir, u) == ERR_OK, "the segment is removed");
}

static void
test_set_aside(void)
{
	struct journal *j = begin();
	struct uuid u = journal_segment(j);
	struct dir_segment *list;
	char path[512], text[UUID_TEXT];
	struct seen s;
	size_t n;

	ok(put(j, 2, 1) == ERR_OK, "two rows commit");
	journal_close(&j);
	snprintf(path, sizeof path, "%s/%s.db", dir, uuid_text(u, text));
	if (truncate(path, 0) != 0)
		perror(path);
	ok(read_all(u, 0, &s) == ERR_CORRUPT, "an emptied database is damage, not an empty segment");
	ok(dir_set_aside(dir, u) == ERR_OK, "it is set aside");
	ok(dir_list(dir, &list, &n) == ERR_OK && n == 0, "and out of the way");
	free(list);
	snprintf(path, sizeof path, "%s/aside/%s.db-wal", dir, text);
	ok(access(path, F_OK) == 0, "with its WAL");
}

static bool
no_row(void *arg, const struct query_value *v UNUSED, size_t n UNUSED)
{
	*(int *)arg += 1;
	return true;
}

/* Somebody has written into a segment's schema: nothing of it is run, and it is not empty. */
static void
planted(const char *sql, enum err want, const char *what)
{
	struct journal *j = begin();
	struct uuid u = journal_segment(j);
	char path[512], text[UUID_TEXT];
	struct segment *seg;
	sqlite3 *db = NULL;
	int rows = 0;
	enum err e;

	ok(put(j, 2, 1) == ERR_OK, "two rows commit");
	journal_close(&j);
	snprintf(path, sizeof path, "%s/%s.db", dir, uuid_text(u, text));
	ok(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK,
	    "planted: %s", what);
	sqlite3_close(db);
	is_int(segment_open(&seg, dir, u, errmsg), want, what);
	segment_close(&seg);
	is_int(segment_look(&seg, dir, u, errmsg), want, "the same for a look");
	segment_close(&seg);
	e = query_run(dir, "SELECT * FROM event", NULL, 0, no_row, &rows, errmsg);
	ok(e == (want == ERR_OK ? ERR_OK : ERR_IO) || e == want, "and for a query (%d: %s)", (int)e, errmsg);
	ok(rows == (want == ERR_OK ? 2 : 0), "which has %d rows", rows);
	(void)!dir_remove(dir, u);
}

static void
test_planted(void)
{
	planted("SELECT 1", ERR_OK, "nothing");
	planted("DROP TABLE row; CREATE VIRTUAL TABLE row USING fts5(seq, head)", ERR_CORRUPT,
	    "a virtual table in place of a segment's");
	planted("ALTER TABLE row RENAME TO was; CREATE VIEW row AS SELECT * FROM was", ERR_CORRUPT, "a view");
	planted("DROP TABLE row; CREATE TABLE row(seq INTEGER PRIMARY KEY, payload)", ERR_CORRUPT, "another table");
	planted("CREATE TABLE more(x)", ERR_CORRUPT, "one more table");
	planted("CREATE INDEX i ON row(lower(id))", ERR_CORRUPT, "an index");
	planted("ALTER TABLE row ADD COLUMN later; UPDATE meta SET value = '2' WHERE key = 'format'", ERR_SETUP,
	    "what a later format has is not damage");
}

/* A copy of a segment may lack the -shm, and lie where nothing can be written. */
static void
test_without_index(void)
{
	struct journal *j = begin();
	struct uuid u = journal_segment(j);
	char shm[512], wal[512], text[UUID_TEXT];
	struct seen seen;
	struct stat before, st;
	int i;

	ok(put(j, 7, 1) == ERR_OK, "seven rows commit");
	journal_close(&j);
	snprintf(shm, sizeof shm, "%s/%s.db-shm", dir, uuid_text(u, text));
	snprintf(wal, sizeof wal, "%s/%s.db-wal", dir, text);
	ok(unlink(shm) == 0 && stat(wal, &before) == 0, "its -shm is lost");
	for (i = 0; i < 2; i++) {
		ok(read_all(u, 0, &seen) == ERR_OK && seen.good && seen.rows == 7, "it is read");
		ok(stat(shm, &st) != 0, "no file is made for that");
		ok(stat(wal, &st) == 0 && st.st_ino == before.st_ino && st.st_size == before.st_size &&
		    st.st_mtim.tv_nsec == before.st_mtim.tv_nsec, "and the WAL stays as it was");
	}
	(void)!dir_remove(dir, u);
}

/* INV-1: SQLite itself goes on in a file that has no name any more. */
static void
test_wal_replaced(void)
{
	struct journal *j = begin();
	char path[512], text[UUID_TEXT];

	ok(put(j, 1, 1) == ERR_OK, "a row commits");
	snprintf(path, sizeof path, "%s/%s.db-wal", dir, uuid_text(journal_segment(j), text));
	unlink(path);
	ok(!journal_intact(j), "a WAL that was removed is noticed");
	ok(put(j, 1, 2) != ERR_OK, "and nothing is acknowledged any more");
	journal_close(&j);
}

static void
test_space(void)
{
	const struct dir_limits l = { .cap_pct = 80, .floor_pct = 5, .floor_bytes = 1 << 30 };
	struct dir_space s = { .total = 100ULL << 30, .free = 50ULL << 30, .inodes = 1000, .inodes_free = 900 };
	struct dir_space small = { .total = 1 << 30, .free = 60 << 20, .inodes = 0 };

	ok(!dir_short(&s, &l) && !dir_tight(&s, &l), "half empty: there is room");
	s.free = (1ULL << 30) - 1;
	ok(dir_short(&s, &l) != NULL, "under 1 GiB of 100: short");
	s.free = 2ULL << 30;
	ok(!dir_short(&s, &l), "2 GiB of 100 are enough: the lesser floor counts");
	s.used = 81ULL << 30;
	ok(dir_short(&s, &l) != NULL, "over the cap: short");
	s.used = 0;
	s.inodes_free = 10;
	ok(dir_short(&s, &l) != NULL, "out of inodes: short");
	ok(!dir_short(&small, &l) && dir_tight(&small, &l), "60 MiB of 1 GiB: tight, not short");
	ok(dir_space(dir, &s) == ERR_OK && s.total > 0, "a real directory is measured");
}

int
main(void)
{
	uuid_source_init(&ids);
	make_dir(dir);
	test_round_trip();
	test_uncommitted();
	test_killed_writer();
	test_empty_and_stillborn();
	test_flipped_bits();
	test_ahead();
	test_no_checkpoint();
	test_set_aside();
	test_planted();
	test_without_index();
	test_wal_replaced();
	test_space();
	remove_dir(dir);
	return done();
}
