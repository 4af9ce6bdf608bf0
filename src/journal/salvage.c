#include "journal/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/segment.h"
#include "journal/sqlite.h"

#define PAGE		4096	/* of every segment: SQLite's default */
#define WAL_HEADER	32
#define FRAME_HEADER	24
#define PAGES_MAX	(1 << 21)	/* 8 GiB; a page number beyond it is damage */
#define SEQ_GAP_MAX	100000	/* unreadable rows in one run after which the end is assumed */

/* An image of the database in the making. */
struct image {
	char path[SEGMENT_PATH];
	int fd;
	char *errmsg;
};

static enum err
fail(struct image *m, const char *what)
{
	enum err e = errno == ENOSPC ? ERR_FULL : ERR_IO;

	snprintf(m->errmsg, 256, "%.100s: %.100s", what, strerror(errno));
	return e;
}

static enum err
put_page(struct image *m, uint32_t number, const uint8_t *page)
{
	return pwrite(m->fd, page, PAGE, (off_t)(number - 1) * PAGE) == PAGE ? ERR_OK :
	    fail(m, "an image of the segment cannot be written");
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum err
copy_database(struct image *m, const char *dir, struct uuid u)
{
	char path[SEGMENT_PATH];
	uint8_t page[PAGE];
	enum err e = segment_path(path, dir, u, ".db");
	uint32_t n = 1;
	int fd;

	if (e != ERR_OK)
		return e;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (e == ERR_OK && fd >= 0 && pread(fd, page, PAGE, (off_t)(n - 1) * PAGE) == PAGE)
		e = put_page(m, n++, page);
	if (fd >= 0)
		close(fd);
	return e;		/* a database that is gone leaves the WAL's pages */
}

/* Every frame in order, the latest of a page on top, checksums aside. */
static enum err
lay_wal_over(struct image *m, const char *dir, struct uuid u)
{
	char path[SEGMENT_PATH];
	uint8_t frame[FRAME_HEADER + PAGE];
	enum err e = segment_path(path, dir, u, ".db-wal");
	off_t at = WAL_HEADER;
	uint32_t number;
	int fd;

	if (e != ERR_OK)
		return e;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (; e == ERR_OK && fd >= 0 && pread(fd, frame, sizeof frame, at) == (ssize_t)sizeof frame;
	    at += (off_t)sizeof frame) {
		number = be32(frame);
		if (number > 0 && number < PAGES_MAX)
			e = put_page(m, number, frame + FRAME_HEADER);
	}
	if (fd >= 0)
		close(fd);
	return e;
}

/*
 * Makes page 1 say what every segment's page 1 says, but for the schema: a database
 * without a WAL, of as many pages as there are, without a free list. The schema is
 * the same in all segments, so that a damaged page 1 is replaced by `spare`.
 */
static enum err
mend_page_one(struct image *m, const uint8_t *spare)
{
	uint8_t page[PAGE];
	struct stat st;
	uint32_t pages;

	if (fstat(m->fd, &st) != 0)
		return fail(m, "image");
	pages = (uint32_t)(st.st_size / PAGE);
	if (spare)
		memcpy(page, spare, PAGE);
	else if (pread(m->fd, page, PAGE, 0) != PAGE)
		return ERR_OK;		/* the attempt with a spare comes next */
	page[18] = page[19] = 1;	/* no WAL */
	page[28] = (uint8_t)(pages >> 24);
	page[29] = (uint8_t)(pages >> 16);
	page[30] = (uint8_t)(pages >> 8);
	page[31] = (uint8_t)pages;
	memset(page + 32, 0, 8);	/* no free list */
	memcpy(page + 92, page + 24, 4);	/* the size is valid: version-valid-for is the change counter */
	return put_page(m, 1, page);
}

static enum err
make_image(struct image *m, const char *dir, struct uuid u, bool with_wal, const uint8_t *spare)
{
	enum err e;

	m->fd = open(m->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (m->fd < 0)
		return fail(m, m->path);
	e = copy_database(m, dir, u);
	if (e == ERR_OK && with_wal)
		e = lay_wal_over(m, dir, u);
	if (e == ERR_OK)
		e = mend_page_one(m, spare);
	close(m->fd);
	return e;
}

/* Page 1 of an empty segment: the schema is the same for all. */
static bool
spare_page_one(uint8_t page[PAGE])
{
	sqlite3 *db = NULL;
	sqlite3_int64 size = 0;
	unsigned char *bytes = NULL;
	bool good = sqlite3_open(":memory:", &db) == SQLITE_OK &&
	    sqlite3_exec(db, SEGMENT_SCHEMA, NULL, NULL, NULL) == SQLITE_OK &&
	    (bytes = sqlite3_serialize(db, "main", &size, 0)) && size >= PAGE;

	if (good)
		memcpy(page, bytes, PAGE);
	sqlite3_free(bytes);
	sqlite3_close(db);
	return good;
}

struct reading {
	salvage_each *each;
	void *arg;
	struct salvaged *out;
	struct buf context;
	int64_t head;
	bool stopped;
};

static bool
hand_out(struct reading *r, struct row *row)
{
	if (row->head == row->seq) {
		buf_reset(&r->context);
		buf_put(&r->context, row->context.p, row->context.n);
		r->head = row->head;
	}
	row->context = row->head == r->head && r->context.n > 0 ? buf_slice(&r->context)
	    : (struct slice){ NULL, 0 };
	r->out->found++;
	return r->each(r->arg, row);
}

/* Row by row, so that a bad page costs only the rows on it. */
static enum err
read_rows(sqlite3 *db, struct reading *r)
{
	sqlite3_stmt *st = NULL;
	struct row row;
	int64_t seq, missed = 0;

	/* one read lock for all of the look-ups */
	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "SELECT " ROW_COLUMNS " FROM row WHERE seq = ?", -1, &st, NULL) != SQLITE_OK)
		return ERR_CORRUPT;
	for (seq = 1; !r->stopped && missed < SEQ_GAP_MAX; seq++) {
		sqlite3_bind_int64(st, 1, seq);
		if (sqlite3_step(st) == SQLITE_ROW && row_read(st, &row) && row.seq == seq) {
			r->out->last_seq = seq;
			missed = 0;
			r->stopped = !hand_out(r, &row);
		} else {
			missed++;
		}
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	return ERR_OK;
}

static enum err
read_image(struct image *m, struct reading *r)
{
	sqlite3 *db;
	enum err e = sqlite_open(&db, m->path, SQLITE_OPEN_READONLY, m->errmsg);

	if (e != ERR_OK)
		return ERR_CORRUPT;
	e = read_rows(db, r);
	sqlite3_close(db);
	return e;
}

enum err
salvage_read(const char *dir, struct uuid u, salvage_each *each, void *arg, struct salvaged *out,
	     char errmsg[256])
{
	struct image m = { .errmsg = errmsg };
	struct reading r = { .each = each, .arg = arg, .out = out };
	uint8_t spare[PAGE];
	enum err e = segment_path(m.path, dir, u, ".salvage");
	int with_spare;

	*out = (struct salvaged){ 0, 0 };
	errmsg[0] = '\0';
	buf_init(&r.context, 64 * 1024);
	for (with_spare = 0; e == ERR_OK && out->found == 0 && with_spare < 2; with_spare++) {
		if (with_spare && !spare_page_one(spare))
			e = ERR_NOMEM;
		if (e == ERR_OK)
			e = make_image(&m, dir, u, true, with_spare ? spare : NULL);
		if (e == ERR_OK && read_image(&m, &r) != ERR_OK)
			e = ERR_OK;	/* not readable this way */
	}
	unlink(m.path);
	buf_fini(&r.context);
	return e;
}
