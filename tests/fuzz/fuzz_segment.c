/*
 * A segment of 40 rows, one of which goes on behind its leaf, with bytes of its files
 * changed or cut off, as the input says: every reader ends, hands out no row that was
 * not written, and removes no file.
 *
 * Input: groups of 5 bytes: which file and how (bit 7: cut it there), place (3 bytes,
 * taken modulo the size), what the byte is XORed with. Bit 6 of the first: salvage too,
 * which takes a hundred times as long.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/cells.h"
#include "journal/dir.h"
#include "journal/frames.h"
#include "journal/journal.h"
#include "journal/salvage.h"
#include "journal/segment.h"
#include "tools/rows.h"

#define ROWS	40
#define LARGE	20

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const suffixes[] = { ".db", ".db-wal" };
static struct file { char path[512]; char *whole, *now; size_t size; } files[2];
static char dir[256], shm[520], errmsg[256];
static struct uuid segment;
static struct made_row made[ROWS];
static char large[9000];
static int64_t expected;

static void
clean_up(void)
{
	remove_dir(dir);
}

static void
load_file(struct file *f, const char *suffix)
{
	char text[UUID_TEXT];
	struct stat st;
	int fd;

	snprintf(f->path, sizeof f->path, "%s/%s%s", dir, uuid_text(segment, text), suffix);
	fd = open(f->path, O_RDONLY);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	f->size = (size_t)st.st_size;
	f->whole = malloc(f->size);
	f->now = malloc(f->size);
	CHECK(f->whole && f->now && read(fd, f->whole, f->size) == st.st_size);
	close(fd);
}

static void
make_segment(void)
{
	struct row rows[ROWS];
	struct journal *j;
	struct uuid_source ids;
	char text[UUID_TEXT];
	size_t i;

	setenv("TMPDIR", "/dev/shm", 0);
	make_dir(dir);
	atexit(clean_up);
	uuid_source_init(&ids);
	segment = uuid_v7(&ids, clock_us());
	make_rows(rows, made, ROWS, 1);
	memset(large, 'x', sizeof large);
	rows[LARGE - 1].payload = (struct slice){ large, sizeof large };
	CHECK(journal_open(&j, dir, segment, "n1", errmsg) == ERR_OK);
	for (i = 0; i < ROWS; i += 4)
		CHECK(journal_append(j, rows + i, 4) == ERR_OK && journal_commit(j) == ERR_OK);
	journal_close(&j);
	for (i = 0; i < ARRAY_SIZE(files); i++)
		load_file(&files[i], suffixes[i]);
	snprintf(shm, sizeof shm, "%s/%s.db-shm", dir, uuid_text(segment, text));
}

/* true: the files are as long as they were. */
static bool
damage(const uint8_t *data, size_t n)
{
	size_t sizes[2] = { files[0].size, files[1].size }, i, k, at;
	int fd;

	for (i = 0; i < 2; i++)
		memcpy(files[i].now, files[i].whole, files[i].size);
	for (; n >= 5; data += 5, n -= 5) {
		k = data[0] & 1;
		at = ((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]) % files[k].size;
		if (data[0] & 0x80)
			sizes[k] = at;
		else
			files[k].now[at] = (char)(files[k].now[at] ^ (char)data[4]);
	}
	for (i = 0; i < 2; i++) {
		fd = open(files[i].path, O_WRONLY | O_TRUNC);
		CHECK(fd >= 0 && write(fd, files[i].now, sizes[i]) == (ssize_t)sizes[i]);
		close(fd);
	}
	unlink(shm);
	return sizes[0] == files[0].size && sizes[1] == files[1].size;
}

static bool
as_written(const struct row *r)
{
	if (r->seq == LARGE)
		return slice_eq(r->payload, (struct slice){ large, sizeof large });
	return r->seq >= 1 && r->seq <= ROWS && slice_is(r->payload, made[r->seq - 1].payload) &&
	    slice_is(r->id, made[r->seq - 1].id);
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

/* Each page by itself, where the sanitizer sees its end. */
static void
read_pages(const struct file *f, size_t from, size_t step)
{
	uint8_t *page = malloc(FRAME_PAGE);
	struct row row;
	struct buf rest;
	size_t i;

	CHECK(page);
	buf_init(&rest, 16 * FRAME_PAGE);
	for (; from + FRAME_PAGE <= f->size; from += step) {
		memcpy(page, f->now + from, FRAME_PAGE);
		for (i = cells_count(page); i > 0; i--)
			CHECK(!cells_row(page, i - 1, no_page, NULL, &rest, &row) || as_written(&row));
	}
	buf_fini(&rest);
	free(page);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct segment *s;
	struct salvaged found;
	enum err tail, e;
	bool long_enough;

	if (!files[0].whole)
		make_segment();
	long_enough = damage(data, n);
	read_pages(&files[0], 0, FRAME_PAGE);
	read_pages(&files[1], 32 + FRAME_HEADER, FRAME_HEADER + FRAME_PAGE);
	tail = dir_tail_check(dir, segment, errmsg);
	CHECK(tail == ERR_OK || tail == ERR_CORRUPT);
	expected = 0;
	if (segment_open(&s, dir, segment, errmsg) == ERR_OK) {
		e = segment_read(s, 0, take_next, NULL);
		CHECK(n >= 5 || (tail == ERR_OK && e == ERR_OK && expected == ROWS));
		segment_close(&s);
	}
	CHECK(access(files[0].path, F_OK) == 0 && access(files[1].path, F_OK) == 0);
	if (n > 0 && !(data[0] & 0x40))
		return 0;
	expected = 0;
	CHECK(salvage_read(dir, segment, take_later, NULL, &found, errmsg) == ERR_OK && found.found <= ROWS);
	/* what is missing is never said not to be; a cut between two turns cannot be seen */
	CHECK(!long_enough || found.found == ROWS || found.last_seq > found.found || !found.end_known);
	return 0;
}
