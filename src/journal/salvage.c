#include "journal/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "journal/cells.h"
#include "journal/frames.h"
#include "journal/sqlite.h"

#define PAGE		FRAME_PAGE
#define PAGES_MAX	(1 << 21)	/* 8 GiB of each file */
#define PAGES_BORN	64		/* of a database at birth, and more: it may be gone */
#define CHAIN_READS	16		/* of each page, on average: each row is tried on some copies */

/* Where a row lies: a copy of a page, plus 1, and a cell. copy 0: it has not been found. */
struct place { uint32_t copy; uint16_t cell; };

/* The copies of pages that there are: those of the database file, and behind them the
 * frames of the WAL. */
struct salvage {
	int fd;				/* the database, or -1 */
	struct frames wal;
	uint32_t stored, n;		/* copies in the database, and in all */
	uint32_t *pages;		/* by page number: its copy, plus 1 */
	uint32_t numbers;		/* for how many: what is beyond them is damage */
	struct place *places;		/* by seq */
	size_t room;			/* for how many */
	uint8_t page[PAGE];		/* the copy at hand */
	uint8_t more[PAGE];
	uint64_t chain;			/* how many pages behind leaves may still be read */
	struct buf rest, context;
	int64_t head;			/* whose context that is */
	struct salvaged *out;
	char *errmsg;
};

static enum err
fail(struct salvage *s, const char *what)
{
	snprintf(s->errmsg, 256, "%.150s: %.100s", what, strerror(errno));
	return errno == ENOMEM ? ERR_NOMEM : ERR_IO;
}

static enum err
open_database(struct salvage *s, const char *dir, struct uuid u)
{
	char path[SEGMENT_PATH];
	struct stat st;
	enum err e = segment_path(path, dir, u, ".db");

	if (e != ERR_OK)
		return e;
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)		/* a database that is gone leaves the WAL's pages */
		return errno == ENOENT ? ERR_OK : fail(s, path);
	if (fstat(s->fd, &st) != 0)
		return fail(s, path);
	s->stored = (uint32_t)(st.st_size / PAGE < PAGES_MAX ? st.st_size / PAGE : PAGES_MAX);
	return ERR_OK;
}

static enum err
open_files(struct salvage *s, const char *dir, struct uuid u)
{
	enum err e = open_database(s, dir, u);
	uint32_t i;

	if (e != ERR_OK)
		return e;
	e = frames_open(&s->wal, dir, u);
	if (e != ERR_OK)
		s->wal.fd = -1;
	if (e != ERR_OK && e != ERR_DOWN)
		return fail(s, "the WAL");
	s->n = s->stored + (uint32_t)(s->wal.n < PAGES_MAX ? s->wal.n : PAGES_MAX);
	/* pages are numbered as they are written, so no copy has a number beyond all copies */
	s->numbers = s->n + PAGES_BORN;
	s->pages = calloc(s->numbers, sizeof *s->pages);
	if (!s->pages)
		return fail(s, "salvage");
	for (i = 0; i < s->stored; i++)
		s->pages[i] = i + 1;
	/* no row is longer than all pages */
	buf_init(&s->rest, (size_t)s->n * PAGE);
	return ERR_OK;
}

static void
close_files(struct salvage *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->wal.fd >= 0)
		frames_close(&s->wal);
	free(s->pages);
	free(s->places);
	buf_fini(&s->rest);
	buf_fini(&s->context);
}

static enum err
read_copy(struct salvage *s, uint32_t copy, uint8_t *page)
{
	enum err e;

	if (copy < s->stored)
		return file_read_at(s->fd, page, PAGE, (off_t)copy * PAGE);
	e = frames_read(&s->wal, copy - s->stored);
	if (e == ERR_OK)
		memcpy(page, s->wal.frame + FRAME_HEADER, PAGE);
	return e;
}

/*
 * Which copy of a page holds, the last one that checks out, else whatever there is. The
 * frames that check out say up to where there were rows; and there were none behind
 * these if the last transaction in the file is whole and only zeros follow.
 */
static void
map_frames(struct salvage *s)
{
	struct frames *w = &s->wal;
	bool whole = true;		/* of the transaction at hand */
	uint32_t i, number;
	int64_t last;

	s->out->io_errors += frames_header(w) != ERR_OK;
	for (i = s->stored; i < s->n; i++) {
		if (frames_read(w, i - s->stored) != ERR_OK) {
			s->out->io_errors++;
			s->out->end_known = whole = false;
			continue;
		}
		if (frames_blank(w)) {
			whole = false;
			continue;
		}
		number = be32(w->frame) - 1;
		if (frames_follows(w)) {
			last = cells_last(w->frame + FRAME_HEADER);
			if (last > s->out->last_seq)
				s->out->last_seq = last;
			s->out->end_known = whole && be32(w->frame + 4) != 0 && !w->ragged;
			whole = whole || be32(w->frame + 4) != 0;
			if (number < s->numbers)
				s->pages[number] = i + 1;
		} else {
			s->out->end_known = whole = false;
			if (number < s->numbers && s->pages[number] == 0)
				s->pages[number] = i + 1;
		}
	}
}

static const uint8_t *
page_of(void *arg, uint32_t number)
{
	struct salvage *s = arg;

	if (number == 0 || number > s->numbers || s->pages[number - 1] == 0 || s->chain == 0)
		return NULL;
	s->chain--;
	return read_copy(s, s->pages[number - 1] - 1, s->more) == ERR_OK ? s->more : NULL;
}

static enum err
note(struct salvage *s, int64_t seq, struct place place)
{
	size_t room = s->room > 0 ? s->room : 64;
	struct place *p;

	/* rows are numbered as they are written, and each took its bytes of these files */
	if (seq < 1 || seq > (int64_t)s->n * CELLS_ON_PAGE)
		return ERR_OK;
	while (room <= (size_t)seq)
		room *= 2;
	if (room > s->room) {
		p = realloc(s->places, room * sizeof *p);
		if (!p)
			return fail(s, "salvage");
		memset(p + s->room, 0, (room - s->room) * sizeof *p);
		s->places = p;
		s->room = room;
	}
	s->places[seq] = place;
	if (seq > s->out->last_seq)
		s->out->last_seq = seq;
	return ERR_OK;
}

static bool
has_place(const struct salvage *s, int64_t seq)
{
	return (size_t)seq < s->room && s->places[seq].copy != 0;
}

/* On any copy of any page. A row that is right is the same on all of its copies. */
static enum err
find_rows(struct salvage *s)
{
	struct row row;
	enum err e = ERR_OK;
	uint32_t copy;
	size_t i, n;
	int64_t seq;

	s->chain = CHAIN_READS * (uint64_t)s->n;
	for (copy = 0; copy < s->n; copy++) {
		if (read_copy(s, copy, s->page) != ERR_OK) {
			s->out->io_errors += copy < s->stored;	/* those of frames are counted */
			continue;
		}
		n = cells_count(s->page);
		for (i = 0; i < n && e == ERR_OK; i++) {
			seq = cells_seq(s->page, i);
			if (seq < 1 || has_place(s, seq))
				continue;
			if (cells_row(s->page, i, page_of, s, &s->rest, &row))
				e = note(s, row.seq, (struct place){ copy + 1, (uint16_t)i });
			else if (s->rest.failed)
				e = fail(s, "salvage");
		}
		if (e != ERR_OK)
			break;
	}
	return e;
}

static bool
hand_out(struct salvage *s, struct row *row, salvage_each *each, void *arg)
{
	if (row->head == row->seq) {
		buf_reset(&s->context);
		buf_put(&s->context, row->context.p, row->context.n);
		s->head = row->head;
	}
	row->context = row->head == s->head && s->context.n > 0 ? buf_slice(&s->context)
	    : (struct slice){ NULL, 0 };
	s->out->found++;
	return each(arg, row);
}

static enum err
read_rows(struct salvage *s, salvage_each *each, void *arg)
{
	const struct place *p;
	uint32_t at_hand = 0;
	struct row row;
	size_t seq;

	s->chain = CHAIN_READS * (uint64_t)s->n;
	for (seq = 1; seq < s->room; seq++) {
		p = &s->places[seq];
		if (p->copy == 0)
			continue;
		if (p->copy != at_hand) {
			at_hand = read_copy(s, p->copy - 1, s->page) == ERR_OK ? p->copy : 0;
			s->out->io_errors += at_hand == 0;
		}
		if (at_hand == 0)
			continue;
		if (cells_row(s->page, p->cell, page_of, s, &s->rest, &row)) {
			if (!hand_out(s, &row, each, arg))
				return ERR_OK;
		} else if (s->rest.failed) {
			return fail(s, "salvage");
		}
	}
	return ERR_OK;
}

enum err
salvage_read(const char *dir, struct uuid u, salvage_each *each, void *arg, struct salvaged *out,
	     char errmsg[256])
{
	struct salvage s = { .fd = -1, .wal = { .fd = -1 }, .out = out, .errmsg = errmsg };
	enum err e;

	*out = (struct salvaged){ .found = 0 };
	errmsg[0] = '\0';
	buf_init(&s.rest, 0);
	buf_init(&s.context, 64 * 1024);
	e = open_files(&s, dir, u);
	if (e == ERR_OK) {
		map_frames(&s);
		e = find_rows(&s);
	}
	if (e == ERR_OK)
		e = read_rows(&s, each, arg);
	close_files(&s);
	return e;
}
