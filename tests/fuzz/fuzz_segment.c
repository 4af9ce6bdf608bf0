/*
 * A segment of 8 rows, one of which goes on behind its leaf, with bytes of its files
 * changed or cut off, as the input says: every reader ends, hands out no row that was
 * not written, and removes no file. The files are in memory (memory.h).
 *
 * Input: groups of 5 bytes: which file and how (bit 7: cut it there), place (3 bytes,
 * taken modulo the size), what the byte is XORed with. Bits 4 to 6 of the first say who
 * reads (readers[]); of no damage they do all. Bit 1: there is a -shm.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/memory.h"
#include "journal/cells.h"
#include "journal/dir.h"
#include "journal/frames.h"
#include "journal/journal.h"
#include "journal/salvage.h"
#include "journal/segment.h"
#include "tools/rows.h"

#define ROWS	8		/* on two leaves */
#define TURN	4
#define PAYLOAD	900
#define LARGE	6
#define ZEROS	1		/* a frame of them behind the last: what a larger segment has (ahead.h) */
#define FRAME	(FRAME_HEADER + FRAME_PAGE)
#define GROUPS	1000		/* of an input */

enum { TAIL = 1, SEGMENT = 2, SALVAGE = 4 };
static const int readers[8] = {		/* tail check and salvage are ours, and SQLite is slow */
	SEGMENT, SALVAGE, SALVAGE, TAIL, TAIL, TAIL, TAIL, TAIL,
};

/* Little is allocated, and nothing for long. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=4:malloc_context_size=4";
}

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static size_t sizes[MEMORY_FILES];
static struct change { size_t file, at; uint8_t was; } changes[GROUPS];
static size_t n_changes;
static char errmsg[256];
static struct uuid segment;
static struct made_row made[ROWS];
static char payloads[ROWS][9000];
static int64_t expected;

static void
load_file(const char *dir, size_t k)
{
	struct memory_file *f = &memory_files[k];
	char text[UUID_TEXT], path[512];
	struct stat st;
	int fd;

	snprintf(path, sizeof path, "%s/%s%s", dir, uuid_text(segment, text), f->suffix);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	f->n = (size_t)st.st_size + (k == MEMORY_WAL ? ZEROS * FRAME : 0);
	f->p = calloc(1, f->n);
	CHECK(f->p && read(fd, f->p, f->n) == st.st_size);
	close(fd);
}

static void
make_segment(void)
{
	struct row rows[ROWS];
	struct journal *j;
	struct uuid_source ids;
	char dir[256];
	size_t i;

	setenv("TMPDIR", "/dev/shm", 0);
	make_dir(dir);
	uuid_source_init(&ids);
	segment = uuid_v7(&ids, clock_us());
	make_rows(rows, made, ROWS, 1);
	for (i = 0; i < ROWS; i++) {
		memset(payloads[i], 'a' + (int)i, sizeof payloads[i]);
		rows[i].payload = (struct slice){ payloads[i], i + 1 == LARGE ? sizeof payloads[i] : PAYLOAD };
	}
	CHECK(journal_open(&j, dir, segment, "n1", errmsg) == ERR_OK);
	for (i = 0; i < ROWS; i += TURN)
		CHECK(journal_append(j, rows + i, TURN) == ERR_OK && journal_commit(j) == ERR_OK);
	journal_close(&j);
	for (i = 0; i < MEMORY_FILES; i++)
		load_file(dir, i);
	remove_dir(dir);
	for (i = 0; i < MEMORY_FILES; i++)
		sizes[i] = memory_files[i].n;
	memory_begin();
}

static void
change(size_t k, size_t at, uint8_t by)
{
	uint8_t *p = memory_files[k].p + at;

	changes[n_changes++] = (struct change){ k, at, *p };
	*p ^= by;
}

static void
damage(const uint8_t *data, size_t n)
{
	size_t at, k;

	for (; n >= 5 && n_changes < GROUPS; data += 5, n -= 5) {
		k = data[0] & 1;
		at = ((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]) % sizes[k];
		if (data[0] & 0x80)
			memory_files[k].n = at;
		else
			change(k, at, data[4]);
	}
}

static void
mend(void)
{
	for (; n_changes > 0; n_changes--)
		memory_files[changes[n_changes - 1].file].p[changes[n_changes - 1].at] = changes[n_changes - 1].was;
	memory_files[MEMORY_DB].n = sizes[MEMORY_DB];
	memory_files[MEMORY_WAL].n = sizes[MEMORY_WAL];
}

static bool
as_written(const struct row *r)
{
	size_t i = (size_t)r->seq - 1;

	return r->seq >= 1 && r->seq <= ROWS && slice_is(r->id, made[i].id) &&
	    slice_eq(r->payload, (struct slice){ payloads[i], r->seq == LARGE ? sizeof payloads[i] : PAYLOAD });
}

static bool
take_next(void *arg UNUSED, const struct row *r)
{
	CHECK(r->seq == ++expected && as_written(r));
	return true;
}

static bool
take_later(void *arg UNUSED, const struct row *r)
{
	CHECK(r->seq > expected && as_written(r));
	expected = r->seq;
	return true;
}

static const uint8_t *
no_page(void *arg UNUSED, uint32_t number UNUSED)
{
	return NULL;
}

/* A page by itself, where the sanitizer sees its end. */
static void
read_page(const uint8_t *from)
{
	static uint8_t *page;
	struct row row;
	struct buf rest;
	size_t i;

	if (!page)
		page = malloc(FRAME_PAGE);
	CHECK(page);
	memcpy(page, from, FRAME_PAGE);
	buf_init(&rest, 16 * FRAME_PAGE);
	for (i = cells_count(page); i > 0; i--)
		CHECK(!cells_row(page, i - 1, no_page, NULL, &rest, &row) || as_written(&row));
	buf_fini(&rest);
}

/* Those with a change; the others give what they gave before. */
static void
read_pages(void)
{
	const uint8_t *last = NULL, *page;
	const struct change *c;
	size_t first, step;

	for (c = changes; c < changes + n_changes; c++) {
		first = c->file == MEMORY_WAL ? 32 : 0;
		step = c->file == MEMORY_WAL ? FRAME : FRAME_PAGE;
		if (c->at < first)
			continue;
		page = memory_files[c->file].p + c->at - (c->at - first) % step + step - FRAME_PAGE;
		if (page != last)
			read_page(page);
		last = page;
	}
}

static void
check_tail(bool whole)
{
	enum err e = dir_tail_check(MEMORY_DIR, segment, errmsg);

	CHECK(e == ERR_OK || e == ERR_CORRUPT);
	CHECK(!whole || e == ERR_OK);
}

static void
read_segment(bool whole)
{
	struct segment *s;
	int64_t last, oldest;
	enum err e = segment_open(&s, MEMORY_DIR, segment, errmsg);

	CHECK(!whole || e == ERR_OK);
	if (e != ERR_OK)
		return;
	expected = 0;
	e = segment_last_seq(s, &last);
	if (e == ERR_OK)
		e = segment_oldest(s, LARGE, &oldest);
	if (e == ERR_OK)
		e = segment_read(s, 0, take_next, NULL);
	CHECK(!whole || (e == ERR_OK && expected == ROWS && last == ROWS));
	segment_close(&s);
}

static void
salvage(void)
{
	bool uncut = memory_files[MEMORY_DB].n == sizes[MEMORY_DB] && memory_files[MEMORY_WAL].n == sizes[MEMORY_WAL];
	struct salvaged found;

	expected = 0;
	CHECK(salvage_read(MEMORY_DIR, segment, take_later, NULL, &found, errmsg) == ERR_OK && found.found <= ROWS);
	/* what is missing is never said not to be; a cut between two turns cannot be seen */
	CHECK(!uncut || found.found == ROWS || found.last_seq > found.found || !found.end_known);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int who = n < 5 ? TAIL | SEGMENT | SALVAGE : readers[data[0] >> 4 & 7];

	if (!memory_files[0].p)
		make_segment();
	damage(data, n);
	memory_index(n >= 5 && data[0] & 2);
	if (who & TAIL) {
		check_tail(n < 5);
		read_pages();
	}
	if (who & SEGMENT)
		read_segment(n < 5);
	if (who & SALVAGE)
		salvage();
	mend();
	return 0;
}
