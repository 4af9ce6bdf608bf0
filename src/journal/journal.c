#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "journal/ahead.h"
#include "journal/feed.h"
#include "journal/sqlite.h"

#define BIRTHS	5		/* attempts in a row */

#define WAL_HEADER	32
#define WAL_FRAME	(24 + 4096)

struct journal {
	sqlite3 *db;
	sqlite3_stmt *begin, *insert, *commit;
	struct feed feed;	/* what insert takes */
	char dir[900];
	char wal[SEGMENT_PATH];
	struct uuid segment;
	int lock_fd;
	ino_t wal_inode;
	uint64_t wal_bytes;	/* of frames; the file has zeros behind them */
	struct ahead ahead;
	int64_t next_seq;	/* of the next row */
	int64_t committed;	/* last seq that is durable */
	bool in_turn;
	enum err failed;	/* sticks */
	char errmsg[256];
};

/* The first error sticks: nothing goes on after it (INV-9). */
static enum err
fail(struct journal *j, enum err e, const char *what)
{
	if (j->failed == ERR_OK) {
		j->failed = e;
		sqlite_explain(j->db, what, j->errmsg);
	}
	return j->failed;
}

static enum err
fail_plain(struct journal *j, enum err e, const char *what)
{
	if (j->failed == ERR_OK) {
		j->failed = e;
		snprintf(j->errmsg, sizeof j->errmsg, "%s", what);
	}
	return j->failed;
}

static enum err
exec(struct journal *j, const char *sql)
{
	int rc = sqlite3_exec(j->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? ERR_OK : fail(j, sqlite_err(rc), sql);
}

/* Sets a pragma and reads it back: a setting that did not take is an error. */
static enum err
pragma(struct journal *j, const char *name, const char *value, const char *want)
{
	char sql[96];
	sqlite3_stmt *st = NULL;
	const unsigned char *got;
	int rc;

	snprintf(sql, sizeof sql, "PRAGMA %s=%s", name, value);
	if (exec(j, sql) != ERR_OK)
		return j->failed;
	snprintf(sql, sizeof sql, "PRAGMA %s", name);
	rc = sqlite3_prepare_v2(j->db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	got = rc == SQLITE_ROW ? sqlite3_column_text(st, 0) : NULL;
	if (rc != SQLITE_ROW)
		fail(j, sqlite_err(rc), sql);
	else if (!got || strcmp((const char *)got, want) != 0)
		fail_plain(j, ERR_IO, "SQLite did not take a setting that durability needs");
	sqlite3_finalize(st);
	return j->failed;
}

static enum err
set_meta(struct journal *j, const char *key, const char *value)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(j->db, "INSERT INTO meta VALUES(?, ?)", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(st, 2, value, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc != SQLITE_DONE)
		fail(j, sqlite_err(rc), "meta");
	sqlite3_finalize(st);
	return j->failed;
}

static enum err
make_schema(struct journal *j, const char *node)
{
	char text[CLOCK_TEXT], uuid[UUID_TEXT], format[8];

	snprintf(format, sizeof format, "%d", JOURNAL_FORMAT);
	exec(j, "BEGIN IMMEDIATE");
	if (j->failed == ERR_OK)
		exec(j, SEGMENT_SCHEMA);
	if (j->failed == ERR_OK)
		set_meta(j, "format", format);
	if (j->failed == ERR_OK)
		set_meta(j, "segment", uuid_text(j->segment, uuid));
	if (j->failed == ERR_OK)
		set_meta(j, "node", node);
	if (j->failed == ERR_OK)
		set_meta(j, "created_at", clock_text(clock_us(), text));
	if (j->failed == ERR_OK)
		exec(j, "COMMIT");
	return j->failed;
}

/* Moves the schema into the database file, so that it never has zero pages while
 * its WAL holds rows: SQLite would delete that WAL unread. */
static enum err
checkpoint(struct journal *j)
{
	int log = -1, moved = -1;
	int rc = sqlite3_wal_checkpoint_v2(j->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &log, &moved);

	if (rc != SQLITE_OK)
		return fail(j, sqlite_err(rc), "checkpoint");
	if (log != 0)
		return fail_plain(j, ERR_IO, "checkpoint: the WAL was not emptied");
	return ERR_OK;
}

static enum err
prepare(struct journal *j)
{
	/* seq is left to SQLite, which counts the same way: it appends then, and does not
	 * look for a row of that seq first */
	static const char insert[] = "INSERT INTO row(" ROW_COLUMNS_BUT_SEQ ") SELECT * FROM feed";
	int rc;

	rc = feed_register(j->db, &j->feed);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(j->db, "BEGIN IMMEDIATE", -1, SQLITE_PREPARE_PERSISTENT, &j->begin, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(j->db, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &j->commit, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v3(j->db, insert, -1, SQLITE_PREPARE_PERSISTENT, &j->insert, NULL);
	return rc == SQLITE_OK ? ERR_OK : fail(j, sqlite_err(rc), "prepare");
}

/* Called by SQLite after each commit. */
static int
take_frames(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct journal *j = arg;

	(void)db, (void)name;
	j->wal_bytes = WAL_HEADER + (uint64_t)frames * WAL_FRAME;
	return SQLITE_OK;
}

/* Our programs have one thread, so SQLite needs no mutexes, and nobody asks how much
 * memory it has. Takes effect before its first use; later calls are refused. */
static void
configure(void)
{
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static enum err
open_database(struct journal *j, const char *node)
{
	char path[SEGMENT_PATH];
	enum err e = segment_path(path, j->dir, j->segment, ".db");

	if (e != ERR_OK)
		return fail_plain(j, e, "the journal's path is too long");
	configure();
	j->failed = sqlite_open(&j->db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, j->errmsg);
	if (j->failed == ERR_OK)
		pragma(j, "journal_mode", "WAL", "wal");
	if (j->failed == ERR_OK)
		pragma(j, "synchronous", "FULL", "2");
	if (j->failed == ERR_OK)
		pragma(j, "wal_autocheckpoint", "0", "0");	/* INV-10 */
	if (j->failed == ERR_OK)
		pragma(j, "mmap_size", "0", "0");
	if (j->failed == ERR_OK)
		pragma(j, "cache_size", "-8192", "-8192");
	if (j->failed == ERR_OK)
		pragma(j, "cache_spill", "0", "0");	/* wal.c: a turn is written at its end only */
	if (j->failed == ERR_OK)
		make_schema(j, node);
	if (j->failed == ERR_OK)
		checkpoint(j);
	if (j->failed == ERR_OK)
		prepare(j);
	if (j->failed == ERR_OK)
		sqlite3_wal_hook(j->db, take_frames, j);
	return j->failed;
}

/* Fails where the file is there already: nothing appends to an old segment (INV-8). */
static enum err
take_lock(struct journal *j)
{
	char path[SEGMENT_PATH], what[128];
	enum err e = segment_path(path, j->dir, j->segment, ".lock");

	if (e == ERR_OK)
		e = file_lock(path, FILE_LOCK_NEW, &j->lock_fd);
	if (e == ERR_OK)
		return ERR_OK;
	snprintf(what, sizeof what, "lock file: cannot be made: %s", e == ERR_BUSY ? err_name(e) : strerror(errno));
	return fail_plain(j, e, what);
}

/* The last step of birth: from here on the segment may hold what was acknowledged (INV-7). */
static enum err
mark_born(struct journal *j)
{
	static const char mark[] = "born\n";
	struct stat st;

	if (stat(j->wal, &st) != 0)
		return fail_plain(j, ERR_IO, "the WAL is not there");
	j->wal_inode = st.st_ino;
	ahead_open(&j->ahead, j->wal);
	if (write(j->lock_fd, mark, sizeof mark - 1) != (ssize_t)sizeof mark - 1 ||
	    fsync(j->lock_fd) != 0)
		return fail_plain(j, ERR_IO, "lock file: cannot be written");
	if (file_sync_dir(j->dir) != ERR_OK)
		return fail_plain(j, ERR_IO, "the journal's directory cannot be synced");
	return ERR_OK;
}

enum err
journal_open(struct journal **out, const char *dir, struct uuid segment, const char *node,
	     char errmsg[256])
{
	struct journal *j = calloc(1, sizeof *j);
	enum err e;

	*out = NULL;
	if (!j) {
		snprintf(errmsg, 256, "out of memory");
		return ERR_NOMEM;
	}
	j->segment = segment;
	j->lock_fd = j->ahead.fd = -1;
	j->next_seq = 1;
	if (snprintf(j->dir, sizeof j->dir, "%s", dir) >= (int)sizeof j->dir ||
	    segment_path(j->wal, dir, segment, ".db-wal") != ERR_OK)
		fail_plain(j, ERR_INVALID, "the journal's path is too long");
	if (j->failed == ERR_OK)
		take_lock(j);
	if (j->failed == ERR_OK)
		open_database(j, node);
	if (j->failed == ERR_OK)
		mark_born(j);
	e = j->failed;
	if (e != ERR_OK) {
		snprintf(errmsg, 256, "%s", j->errmsg);
		journal_close(&j);
	}
	*out = j;
	return e;
}

enum err
journal_begin(struct journal **out, const char *dir, struct uuid_source *ids, const char *node,
	      char errmsg[256])
{
	enum err e = ERR_BUSY;
	int i;

	for (i = 0; i < BIRTHS && e == ERR_BUSY; i++)
		e = journal_open(out, dir, uuid_v7(ids, clock_us()), node, errmsg);
	return e;
}

/* Runs a statement that gives no rows. */
static enum err
run(struct journal *j, sqlite3_stmt *st, const char *what)
{
	int rc = sqlite3_step(st);

	if (rc != SQLITE_DONE)
		fail(j, sqlite_err(rc), what);
	sqlite3_reset(st);
	return j->failed;
}

enum err
journal_append(struct journal *j, struct row *rows, size_t n)
{
	int64_t head = j->next_seq;
	size_t i;

	if (j->failed != ERR_OK || n == 0)
		return j->failed;
	if (!j->in_turn && run(j, j->begin, "begin") != ERR_OK)
		return j->failed;
	j->in_turn = true;
	for (i = 0; i < n; i++) {
		rows[i].seq = j->next_seq++;
		rows[i].head = head;
		if (i > 0)
			rows[i].context = (struct slice){ NULL, 0 };
	}
	j->feed = (struct feed){ rows, n };
	if (run(j, j->insert, "insert") == ERR_OK && sqlite3_last_insert_rowid(j->db) != rows[n - 1].seq)
		fail_plain(j, ERR_BUG, "a row has got another seq than was expected");
	return j->failed;
}

/* What was written into a file that nobody finds any more is not stored (INV-1). By stat():
 * to open it and close it again would drop SQLite's locks (INV-6). */
static enum err
check_wal(struct journal *j)
{
	struct stat st;

	if (stat(j->wal, &st) != 0 || st.st_ino != j->wal_inode)
		return fail_plain(j, ERR_IO, "the WAL is no longer the file that was created");
	return ERR_OK;
}

enum err
journal_commit(struct journal *j)
{
	uint64_t before = j->wal_bytes;

	if (j->failed != ERR_OK || !j->in_turn)
		return j->failed;
	j->in_turn = false;
	if (run(j, j->commit, "commit") != ERR_OK || check_wal(j) != ERR_OK)
		return j->failed;
	j->committed = j->next_seq - 1;
	ahead_keep(&j->ahead, j->wal_bytes, j->wal_bytes - before);
	return ERR_OK;
}

bool
journal_intact(const struct journal *j)
{
	struct stat st;

	return j->failed == ERR_OK && stat(j->wal, &st) == 0 && st.st_ino == j->wal_inode;
}

struct uuid
journal_segment(const struct journal *j)
{
	return j->segment;
}

int64_t
journal_last_seq(const struct journal *j)
{
	return j->committed;
}

uint64_t
journal_bytes(const struct journal *j)
{
	return j->wal_bytes;
}

const char *
journal_errmsg(const struct journal *j)
{
	return j->errmsg;
}

/* Nothing was ever appended, so nobody can miss it. Without the mark of birth first:
 * half of it is an unfinished segment, not a damaged one. */
static void
remove_files(const struct journal *j)
{
	static const char *const suffixes[] = { ".db", ".db-wal", ".db-shm", ".db-journal", ".lock" };
	char path[SEGMENT_PATH];
	size_t i;

	if (ftruncate(j->lock_fd, 0) != 0 || fsync(j->lock_fd) != 0)
		return;
	for (i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (segment_path(path, j->dir, j->segment, suffixes[i]) == ERR_OK)
			unlink(path);
}

void
journal_close(struct journal **jp)
{
	struct journal *j = *jp;

	if (!j)
		return;
	sqlite3_finalize(j->begin);
	sqlite3_finalize(j->insert);
	sqlite3_finalize(j->commit);
	ahead_close(&j->ahead);
	sqlite3_close(j->db);		/* rolls an open turn back; no checkpoint (NO_CKPT_ON_CLOSE) */
	if (j->lock_fd >= 0 && j->next_seq == 1)
		remove_files(j);
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	free(j);
	*jp = NULL;
}
