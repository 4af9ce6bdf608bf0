#include "journal/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "journal/frames.h"
#include "journal/sqlite.h"

#define PAGE		FRAME_PAGE
#define PAGES_MAX	(1 << 21)	/* 8 GiB; a page number beyond it is damage */
#define SEQ_GAP_MAX	100000	/* unreadable rows in one run after which the end is assumed */

/* An image of the database in the making. */
struct image {
	char path[SEGMENT_PATH];
	int fd;
	struct salvaged *out;
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

static enum err
copy_database(struct image *m, const char *dir, struct uuid u)
{
	char path[SEGMENT_PATH];
	uint8_t page[PAGE];
	struct stat st;
	enum err e = segment_path(path, dir, u, ".db");
	uint32_t i;
	int fd;

	if (e != ERR_OK)
		return e;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)		/* a database that is gone leaves the WAL's pages */
		return errno == ENOENT ? ERR_OK : fail(m, path);
	if (fstat(fd, &st) != 0)
		e = fail(m, path);
	for (i = 1; e == ERR_OK && i <= PAGES_MAX && (off_t)i * PAGE <= st.st_size; i++)
		if (file_read_at(fd, page, PAGE, (off_t)(i - 1) * PAGE) == ERR_OK)
			e = put_page(m, i, page);
		else
			m->out->io_errors++;
	close(fd);
	return e;
}

/* SQLite's numbers of seven bits a byte; *at moves behind it. */
static uint64_t
varint(const uint8_t *page, size_t *at)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8 && *at < PAGE; i++) {
		v = v << 7 | (page[*at] & 0x7F);
		if (!(page[(*at)++] & 0x80))
			return v;
	}
	return *at < PAGE ? v << 8 | page[(*at)++] : 0;
}

/* Largest seq on a leaf of table row, the only one that has such pages; others: 0. */
static int64_t
last_seq(const uint8_t *page)
{
	size_t n = (size_t)(page[3] << 8 | page[4]), at = 8 + 2 * (n - 1);

	if (page[0] != 13 || n == 0 || at + 2 > PAGE)
		return 0;
	at = (size_t)(page[at] << 8 | page[at + 1]);
	varint(page, &at);		/* the row's size */
	return (int64_t)varint(page, &at);
}

/*
 * Every frame in order, the latest of a page on top, checksums aside. Those that check
 * out say up to where there were rows; and there were none behind these if the last
 * transaction in the file is whole and only zeros follow.
 */
static enum err
lay_frames(struct image *m, struct frames *w)
{
	bool whole = true;		/* of the transaction at hand */
	uint32_t number;
	int64_t last;
	off_t i;
	enum err e = ERR_OK;

	for (i = 0; e == ERR_OK && i < w->n; i++) {
		if (frames_read(w, i) != ERR_OK) {
			m->out->io_errors++;
			m->out->end_known = whole = false;
			continue;
		}
		if (frames_blank(w)) {
			whole = false;
			continue;
		}
		number = be32(w->frame);
		if (frames_follows(w)) {
			last = last_seq(w->frame + FRAME_HEADER);
			if (last > m->out->last_seq)
				m->out->last_seq = last;
			m->out->end_known = whole && be32(w->frame + 4) != 0 && !w->ragged;
			whole = whole || be32(w->frame + 4) != 0;
		} else {
			m->out->end_known = whole = false;
		}
		if (number > 0 && number < PAGES_MAX)
			e = put_page(m, number, w->frame + FRAME_HEADER);
	}
	return e;
}

static enum err
lay_wal_over(struct image *m, const char *dir, struct uuid u)
{
	struct frames w;
	enum err e = frames_open(&w, dir, u);

	if (e != ERR_OK)
		return e == ERR_DOWN ? ERR_OK : fail(m, "the WAL");
	m->out->io_errors += frames_header(&w) != ERR_OK;
	e = lay_frames(m, &w);
	frames_close(&w);
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
make_image(struct image *m, const char *dir, struct uuid u, const uint8_t *spare)
{
	enum err e;

	*m->out = (struct salvaged){ .found = 0 };
	m->fd = open(m->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (m->fd < 0)
		return fail(m, m->path);
	e = copy_database(m, dir, u);
	if (e == ERR_OK)
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

/* Damage has many codes. These are not among them. */
static bool
is_trouble(int rc)
{
	return (rc & 0xFF) == SQLITE_IOERR || (rc & 0xFF) == SQLITE_NOMEM;
}

/* Row by row, so that a bad page costs only the rows on it. SQLite's code. */
static int
read_rows(sqlite3 *db, struct reading *r)
{
	sqlite3_stmt *st = NULL;
	struct row row;
	int64_t seq, *last = &r->out->last_seq;
	/* one read lock for all of the look-ups */
	int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "SELECT " ROW_COLUMNS " FROM row WHERE seq = ?", -1, &st, NULL);
	for (seq = 1; st && !is_trouble(rc) && !r->stopped && seq <= *last + SEQ_GAP_MAX; seq++) {
		sqlite3_bind_int64(st, 1, seq);
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW && row_read(st, &row) && row.seq == seq) {
			if (seq > *last)
				*last = seq;
			r->stopped = !hand_out(r, &row);
		}
		sqlite3_reset(st);
	}
	sqlite3_finalize(st);
	return rc;
}

/* An image that is no database any more has no row, which is no error. */
static enum err
read_image(struct image *m, struct reading *r)
{
	sqlite3 *db;
	enum err e = sqlite_open(&db, m->path, SQLITE_OPEN_READONLY, m->errmsg);
	int rc;

	if (e != ERR_OK)
		return e == ERR_CORRUPT ? ERR_OK : e;
	rc = read_rows(db, r);
	if (is_trouble(rc)) {
		e = sqlite_err(rc);
		snprintf(m->errmsg, 256, "%.200s: %s", m->path, sqlite3_errstr(rc));
	}
	sqlite3_close(db);
	return e;
}

enum err
salvage_read(const char *dir, struct uuid u, salvage_each *each, void *arg, struct salvaged *out,
	     char errmsg[256])
{
	struct image m = { .out = out, .errmsg = errmsg };
	struct reading r = { .each = each, .arg = arg, .out = out };
	uint8_t spare[PAGE];
	enum err e = segment_path(m.path, dir, u, ".salvage");
	int with_spare;

	*out = (struct salvaged){ .found = 0 };
	errmsg[0] = '\0';
	buf_init(&r.context, 64 * 1024);
	for (with_spare = 0; e == ERR_OK && out->found == 0 && with_spare < 2; with_spare++) {
		if (with_spare && !spare_page_one(spare)) {
			e = ERR_NOMEM;
			snprintf(errmsg, 256, "out of memory");
		}
		if (e == ERR_OK)
			e = make_image(&m, dir, u, with_spare ? spare : NULL);
		if (e == ERR_OK)
			e = read_image(&m, &r);
	}
	unlink(m.path);
	buf_fini(&r.context);
	return e;
}
