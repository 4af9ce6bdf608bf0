/*
 * Damaged segments: bits flipped in every region, files truncated or missing. The
 * damage is noticed or does no harm; salvage gets out what can be read, each row once
 * and none that was not written. FAULT_FLIPS (24), FAULT_SEED.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal/cells.h"
#include "journal/dir.h"
#include "journal/frames.h"
#include "journal/journal.h"
#include "journal/salvage.h"
#include "journal/segment.h"
#include "journal/sqlite.h"
#include "tools/rows.h"
#include "tools/tap.h"

#define ROWS	120

/* No power is cut here, and ten thousand syncs take minutes. */
int
fsync(int fd UNUSED)
{
	return 0;
}

int
fdatasync(int fd UNUSED)
{
	return 0;
}

/* What of one file that the device cannot read. As from a disk, a read that begins
 * before it is cut short. */
static struct { ino_t ino; off_t from, to; } sector;
static int reads;

ssize_t
pread64(int fd, void *p, size_t n, off64_t at)
{
	__typeof__(&pread64) real = (__typeof__(&pread64))dlsym(RTLD_NEXT, "pread64");
	struct stat st;

	reads++;
	if (sector.ino != 0 && at < sector.to && at + (off64_t)n > sector.from && fstat(fd, &st) == 0 &&
	    st.st_ino == sector.ino) {
		if (at < sector.from)
			return real(fd, p, (size_t)(sector.from - at), at);
		errno = EIO;
		return -1;
	}
	return real(fd, p, n, at);
}

static struct uuid_source ids;
static char dir[256], errmsg[256];
static unsigned seed;
static int seen[ROWS + 1], wrong;

static bool
look(void *arg, const struct row *r)
{
	struct row want;
	struct made_row made;

	(void)arg;
	make_rows(&want, &made, 1, r->seq);
	if (r->seq < 1 || r->seq > ROWS || !slice_eq(r->payload, want.payload) ||
	    r->received_at != want.received_at)
		wrong++;
	else
		seen[r->seq]++;
	return true;
}

static struct uuid
make_segment(void)
{
	struct journal *j;
	struct uuid u = uuid_v7(&ids, clock_us());
	struct row rows[ROWS];
	struct made_row made[ROWS];
	int i, n;

	if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK)
		exit(1);
	for (i = 0; i < ROWS; i += n) {
		n = 1 + (int)((unsigned)rand_r(&seed) % 5);
		if (n > ROWS - i)
			n = ROWS - i;
		make_rows(rows, made, (size_t)n, i + 1);
		if (journal_append(j, rows, (size_t)n) != ERR_OK || journal_commit(j) != ERR_OK)
			exit(1);
	}
	journal_close(&j);
	return u;
}

static void
path_of(char out[512], struct uuid u, const char *suffix)
{
	char text[UUID_TEXT];

	snprintf(out, 512, "%s/%s%s", dir, uuid_text(u, text), suffix);
}

static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

static void
flip(const char *path, off_t at)
{
	unsigned char c;
	int fd = open(path, O_RDWR);

	if (fd >= 0 && pread(fd, &c, 1, at) == 1) {
		c ^= (unsigned char)(1 << ((unsigned)rand_r(&seed) % 8));
		if (pwrite(fd, &c, 1, at) != 1)
			perror(path);
	}
	close(fd);
}

static struct salvaged found;

/* How many rows salvage finds; -1: one twice, or one that was never written. */
static int
salvage(struct uuid u)
{
	int i, n = 0;

	memset(seen, 0, sizeof seen);
	wrong = 0;
	if (salvage_read(dir, u, look, NULL, &found, errmsg) != ERR_OK) {
		printf("# %s\n", errmsg);
		return -1;
	}
	for (i = 1; i <= ROWS; i++) {
		if (seen[i] > 1)
			return -1;
		n += seen[i];
	}
	return wrong ? -1 : n;
}

static bool
count(void *arg, const struct row *r UNUSED)
{
	++*(int *)arg;
	return true;
}

/* Does the ordinary way say so when rows are missing? The last turn may look unfinished. */
static bool
noticed_or_whole(struct uuid u)
{
	struct segment *s;
	int rows = 0;
	enum err e = dir_tail_check(dir, u, errmsg);

	if (e == ERR_OK)
		e = segment_open(&s, dir, u, errmsg);
	if (e == ERR_OK) {
		e = segment_read(s, 0, count, &rows);
		segment_close(&s);
	}
	return e == ERR_CORRUPT || e == ERR_SETUP || (e == ERR_OK && rows >= ROWS - 5);
}

static void
flips(const char *suffix, int times, int least)
{
	char path[512];
	struct uuid u;
	int i, n, silent = 0, few = 0, bad = 0, untold = 0, fewest = ROWS;

	for (i = 0; i < times; i++) {
		u = make_segment();
		path_of(path, u, suffix);
		flip(path, size_of(path) * i / times + (off_t)((unsigned)rand_r(&seed) % 64));
		silent += !noticed_or_whole(u);
		n = salvage(u);
		bad += n < 0;
		untold += n < ROWS && found.end_known && found.last_seq == n;
		few += n < least;
		if (n < fewest)
			fewest = n;
		(void)!dir_remove(dir, u);
	}
	is_int(silent, 0, "no row is missing in silence");
	is_int(untold, 0, "salvage never says that it has all rows when it has not");
	is_int(bad, 0, "none comes twice, none is invented");
	ok(few == 0, "%d flipped bits over %s: at least %d of %d rows come out (%d)", times, suffix, least,
	    ROWS, fewest);
}

/* Every byte of what SQLite writes around the pages, in the WAL's last half. */
static void
headers(void)
{
	char path[512];
	struct uuid u = make_segment();
	off_t size, at;
	int i, silent = 0, tried = 0;

	path_of(path, u, ".db-wal");
	size = size_of(path);
	for (at = size / 2 - (size / 2 - 32) % 4120; at < size; at += 4120)
		for (i = 0; i < 24; i++, tried++) {
			unsigned again = seed;

			flip(path, at + i);
			if (!noticed_or_whole(u)) {
				printf("# byte %d of the frame at %lld of %lld\n", i, (long long)at, (long long)size);
				silent++;
			}
			seed = again;
			flip(path, at + i);	/* the same bit */
		}
	is_int(silent, 0, "nor by a bit in the header of a frame");
	ok(tried >= 24 * 20, "of which there were many (%d)", tried / 24);
	(void)!dir_remove(dir, u);
}

/* One turn only: its loss may not look like an unfinished write. */
static void
wal_header(void)
{
	char path[512];
	struct uuid u = uuid_v7(&ids, clock_us());
	struct journal *j;
	struct row row;
	struct made_row made;
	int i, silent = 0;

	if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK)
		exit(1);
	make_rows(&row, &made, 1, 1);
	if (journal_append(j, &row, 1) != ERR_OK || journal_commit(j) != ERR_OK)
		exit(1);
	journal_close(&j);
	path_of(path, u, ".db-wal");
	for (i = 0; i < 32; i++) {
		unsigned again = seed;

		flip(path, i);
		silent += dir_tail_check(dir, u, errmsg) != ERR_CORRUPT;
		seed = again;
		flip(path, i);
	}
	is_int(silent, 0, "a bit in the header of a WAL of one turn is noticed");
	(void)!dir_remove(dir, u);
}

static void
cuts(void)
{
	char path[512];
	struct uuid u = make_segment();
	off_t size;

	path_of(path, u, ".db-wal");
	size = size_of(path);
	if (truncate(path, size / 2) != 0)
		perror(path);
	ok(salvage(u) > ROWS / 4, "half of the WAL gives what was in it");
	ok(!found.end_known, "and does not tell where the end was");
	(void)!dir_remove(dir, u);

	u = make_segment();
	path_of(path, u, ".db");
	unlink(path);
	is_int(salvage(u), ROWS, "without the database everything comes out of the WAL");
	(void)!dir_remove(dir, u);

	u = make_segment();
	path_of(path, u, ".db");
	if (truncate(path, 0) != 0)
		perror(path);
	ok(noticed_or_whole(u), "an empty database is noticed");
	is_int(salvage(u), ROWS, "and costs no row");
	(void)!dir_remove(dir, u);

	u = make_segment();
	path_of(path, u, ".db");
	if (truncate(path, 1) != 0)
		perror(path);
	ok(noticed_or_whole(u), "a database of one byte is noticed");
	path_of(path, u, ".db-wal");
	ok(access(path, F_OK) == 0, "and its WAL is still there");
	is_int(salvage(u), ROWS, "with every row");
	(void)!dir_remove(dir, u);

	u = make_segment();
	path_of(path, u, ".db-wal");
	unlink(path);
	ok(noticed_or_whole(u), "a missing WAL is noticed");
	is_int(salvage(u), 0, "and nothing comes out of nothing");
	ok(!found.end_known, "which does not say that nothing was there");
	(void)!dir_remove(dir, u);
}

#define FRAME(i)	(32 + (off_t)(i) * 4120)

/* Page number in frame i; 0: there is no such frame. */
static uint32_t
page_in(int fd, off_t i)
{
	uint8_t p[4] = { 0 };

	return pread(fd, p, sizeof p, FRAME(i)) == sizeof p ? be32(p) : 0;
}

static bool
comes_again(int fd, off_t i)
{
	uint32_t page = page_in(fd, i), later;

	while ((later = page_in(fd, ++i)) != 0 && later != page)
		;
	return later != 0;
}

/* A frame that, like the one before it, holds no page's last word: how many rows a turn
 * has is drawn, so that each run has it elsewhere. */
static off_t
superseded(const char *path)
{
	int fd = open(path, O_RDONLY);
	off_t i = 20;

	while (page_in(fd, i) != 0 && !(comes_again(fd, i - 1) && comes_again(fd, i)))
		i++;
	close(fd);
	return i;
}

/* Sectors that the device does not give. */
static void
test_unreadable(void)
{
	char path[512];
	struct uuid u = make_segment();
	struct stat st;
	off_t i;

	path_of(path, u, ".db-wal");
	if (stat(path, &st) != 0)
		exit(1);
	sector = (__typeof__(sector)){ st.st_ino, 0, 32 };
	is_int(dir_tail_check(dir, u, errmsg), ERR_IO, "a header that cannot be read is no damaged one");
	i = superseded(path);
	sector.from = FRAME(i) + 512;
	sector.to = sector.from + 512;
	is_int(dir_tail_check(dir, u, errmsg), ERR_IO, "nor is a frame that cannot be read the last one");
	flip(path, FRAME(i - 1) + 1000);
	is_int(dir_tail_check(dir, u, errmsg), ERR_IO, "not behind damage either");
	is_int(salvage(u), ROWS, "salvage goes on behind what the device does not give");
	ok(found.io_errors > 0 && found.end_known && found.last_seq == ROWS, "counts it, and knows that it has all");
	sector.from = FRAME(0);
	sector.to = st.st_size;
	is_int(salvage(u), 0, "a WAL that cannot be read at all gives nothing");
	ok(!found.end_known, "and that is not said to be all");
	sector.ino = 0;
	is_int(dir_tail_check(dir, u, errmsg), ERR_CORRUPT, "which shows when it can be read");
	(void)!dir_remove(dir, u);
}

#define LEAF	13	/* first byte of a page with rows */

/* Puts rubbish over each step-th frame, if it holds a leaf, or if it holds another page. */
static void
spoil(const char *path, bool leaves, off_t from, off_t step)
{
	unsigned char page[4096];
	off_t i;
	int fd = open(path, O_RDWR);

	for (i = from; pread(fd, page, sizeof page, FRAME(i) + 24) == sizeof page; i += step) {
		if ((page[0] == LEAF) != leaves)
			continue;
		memset(page, 0xA5, sizeof page);
		if (pwrite(fd, page, sizeof page, FRAME(i) + 24) != sizeof page)
			perror(path);
	}
	close(fd);
}

static void
test_pages(void)
{
	char path[512];
	struct uuid u = make_segment();
	int n;

	path_of(path, u, ".db-wal");
	spoil(path, false, 0, 1);
	path_of(path, u, ".db");
	if (truncate(path, 0) != 0)
		perror(path);
	is_int(salvage(u), ROWS, "without any page of the tree above them all rows come out");
	(void)!dir_remove(dir, u);

	u = make_segment();
	path_of(path, u, ".db-wal");
	spoil(path, true, 1, 2);
	n = salvage(u);
	ok(n >= ROWS * 3 / 4, "without every other copy of a leaf most do (%d)", n);
	ok(found.last_seq > found.found || !found.end_known, "and it is known that some are missing");
	(void)!dir_remove(dir, u);
}

/* One bit of each leaf's header, where no other copy has the rows. */
static void
test_counts(void)
{
	static const struct { int byte, bit; } bits[] = { { 4, 0x08 }, { 4, 0x20 }, { 5, 0x04 }, { 6, 0x40 } };
	struct row rows[ROWS];
	struct made_row made[ROWS];
	struct uuid u;
	struct journal *j;
	unsigned char page[4096];
	char path[512];
	size_t k;
	off_t i;
	int fd, n;

	for (k = 0; k < ARRAY_SIZE(bits); k++) {
		u = uuid_v7(&ids, clock_us());
		make_rows(rows, made, ROWS, 1);
		if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK ||
		    journal_append(j, rows, ROWS) != ERR_OK || journal_commit(j) != ERR_OK)
			exit(1);
		journal_close(&j);
		path_of(path, u, ".db-wal");
		fd = open(path, O_RDWR);
		for (i = 0; pread(fd, page, sizeof page, FRAME(i) + 24) == sizeof page; i++) {
			page[bits[k].byte] ^= (unsigned char)bits[k].bit;
			if (page[0] == LEAF && pwrite(fd, page, sizeof page, FRAME(i) + 24) != sizeof page)
				perror(path);
		}
		close(fd);
		n = salvage(u);
		ok(n == ROWS, "bits %02x of byte %d of each leaf's header cost no row (%d of %d)",
		    (unsigned)bits[k].bit, bits[k].byte, n, ROWS);
		(void)!dir_remove(dir, u);
	}
}

/* The last page in a WAL whose first byte is that. */
static void
page_with(struct uuid u, unsigned char first, unsigned char out[4096])
{
	unsigned char page[4096];
	char path[512];
	off_t i;
	int fd;

	path_of(path, u, ".db-wal");
	fd = open(path, O_RDONLY);
	for (i = 0; pread(fd, page, sizeof page, FRAME(i) + 24) == sizeof page && page_in(fd, i) != 0; i++)
		if (page[0] == first)
			memcpy(out, page, sizeof page);
	close(fd);
}

#define KEPT	16384		/* bytes of a rejection's body */

static struct uuid
with_rejection(char body[KEPT])
{
	struct uuid u = uuid_v7(&ids, clock_us());
	struct row rows[2];
	struct made_row made[2];
	struct journal *j;

	make_rows(rows, made, 2, 1);
	rows[1].kind = ROW_REJECTION;
	rows[1].payload = (struct slice){ body, KEPT };
	if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK || journal_append(j, rows, 2) != ERR_OK ||
	    journal_commit(j) != ERR_OK)
		exit(1);
	journal_close(&j);
	return u;
}

static bool
look_forged(void *arg, const struct row *r)
{
	wrong += r->seq > 2 || (r->seq == 1 && !slice_is(r->id, "id-1"));
	(void)arg;
	return true;
}

/* A client chooses the bytes of what is refused, and so the pages behind a leaf: it may
 * send another segment's leaf. */
static void
test_forged(void)
{
	char *body = malloc(KEPT);
	unsigned char leaf[4096], page[4096];
	struct uuid u;
	size_t i, at;

	if (!body)
		exit(1);
	u = make_segment();
	page_with(u, LEAF, leaf);
	(void)!dir_remove(dir, u);
	for (i = 0; i < KEPT; i++)
		body[i] = (char)rand_r(&seed);
	u = with_rejection(body);
	page_with(u, 0, page);
	(void)!dir_remove(dir, u);
	for (at = 0; at + 64 < KEPT && memcmp(body + at, page + 4, 64) != 0; at++)
		;
	ok(at + 64 < KEPT, "a page holds nothing but a client's bytes, from %zu", at);
	for (i = 0; i < KEPT; i++)
		body[i] = (char)leaf[4 + (i + KEPT * 4092 - at) % 4092];
	/* how many bytes the row's checksum takes moves them */
	for (i = 0; i < 10000; i++) {
		u = with_rejection(body);
		page_with(u, 0, page);
		if (memcmp(page + 4, leaf + 4, 1000) == 0)
			break;
		(void)!dir_remove(dir, u);
		body[KEPT - 1] = (char)i;
		body[KEPT - 2] = (char)(i >> 8);
	}
	ok(i < 10000, "they can be those of a leaf");
	wrong = 0;
	is_int(salvage_read(dir, u, look_forged, NULL, &found, errmsg), ERR_OK, "salvage reads it");
	ok(wrong == 0 && found.found == 2 && found.last_seq == 2, "and takes no row from there (%lld, %lld)",
	    (long long)found.found, (long long)found.last_seq);
	free(body);
	(void)!dir_remove(dir, u);
}

/* For the address sanitizer: a page of the heap, with a record that ends before it begins. */
static void
test_page_end(void)
{
	unsigned char *page = calloc(1, 4096);
	struct buf rest;
	struct row row;

	if (!page)
		exit(1);
	page[0] = LEAF;
	page[4] = 1;
	page[5] = page[8] = 4093 >> 8;
	page[6] = page[9] = 4093 & 0xFF;
	page[4093] = page[4094] = 1;
	buf_init(&rest, 4096);
	ok(cells_count(page) == 1 && cells_seq(page, 0) == 1 && !cells_row(page, 0, NULL, NULL, &rest, &row),
	    "a record without a header is none");
	free(page);
}

/* Leaves full of cells for one row, which is long and goes on behind them in a circle. */
static void
test_circle(void)
{
	enum { PAGES = 64, LONG = 449 + 48 * 4092, NEXT = 604 + 489 };
	static const unsigned char record[] = {
		0x80 | (LONG + 40) >> 14, 0x80 | ((LONG + 40) >> 7 & 0x7F), (LONG + 40) & 0x7F, 1,
		/* the types of its columns: the payload's comes last */
		18, 0, 1, 8, 1, 0, 44, 0, 0, 0, 0, 0, 0, 0, 4,
		0x80 | (2 * LONG + 12) >> 14, 0x80 | ((2 * LONG + 12) >> 7 & 0x7F), (2 * LONG + 12) & 0x7F,
	};
	unsigned char page[4096] = { LEAF };
	struct uuid u = uuid_v7(&ids, clock_us());
	char path[512];
	int i, fd;

	page[3] = 250 >> 8;
	page[4] = 250;
	page[5] = 600 >> 8;
	page[6] = 600 & 0xFF;
	for (i = 0; i < 250; i++) {
		page[8 + 2 * i] = 600 >> 8;
		page[9 + 2 * i] = 600 & 0xFF;
	}
	memcpy(page + 600, record, sizeof record);
	page[NEXT + 3] = 2;	/* where it goes on, and page 2 says the same of itself */
	path_of(path, u, ".db");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	for (i = 1; i <= PAGES; i++) {
		memset(page, 0, 4);
		page[i == 2 ? 3 : 0] = i == 2 ? 2 : LEAF;
		if (pwrite(fd, page, sizeof page, (i - 1) * 4096) != sizeof page)
			perror(path);
	}
	close(fd);
	reads = 0;
	is_int(salvage(u), 0, "a row that goes on in a circle is none");
	/* at most 16 for each page, and each itself */
	ok(reads > 16 * PAGES && reads < 20 * PAGES, "nor does it take for ever (%d pages read of %d)",
	    reads, PAGES);
	(void)!dir_remove(dir, u);
}

static const size_t sizes[] = { 3900, 4000, 4061, 4100, 4600, 8100, 12300, 70000, 1 << 20 };

static bool
look_large(void *arg, const struct row *r)
{
	const char *want = arg;
	size_t n = r->seq >= 1 && r->seq <= (int64_t)ARRAY_SIZE(sizes) ? sizes[r->seq - 1] : 0;

	wrong += r->payload.n != n || memcmp(r->payload.p, want, n) != 0;
	return true;
}

static int
salvage_large(struct uuid u, char *want)
{
	wrong = 0;
	if (salvage_read(dir, u, look_large, want, &found, errmsg) != ERR_OK || wrong > 0)
		return -1;
	return (int)found.found;
}

/* Gives the last leaf's frame the number of the first page behind a leaf. Leaves need no
 * number; that page does. */
static void
misname(const char *path)
{
	unsigned char first, number[4];
	off_t i, leaf = 0, behind = 0;
	int fd = open(path, O_RDWR);

	for (i = 0; pread(fd, &first, 1, FRAME(i) + 24) == 1 && page_in(fd, i) != 0; i++) {
		if (first == LEAF)
			leaf = i;
		else if (first == 0 && behind == 0)
			behind = i;
	}
	ok(behind > 0 && behind < leaf && pread(fd, number, sizeof number, FRAME(behind)) == sizeof number &&
	    pwrite(fd, number, sizeof number, FRAME(leaf)) == sizeof number,
	    "a frame with the number of another page");
	close(fd);
}

/* Rows that go on behind their leaf. */
static void
test_large(void)
{
	struct uuid u = uuid_v7(&ids, clock_us());
	char path[512], *text = malloc(1 << 20);
	struct made_row made;
	struct journal *j;
	struct row row;
	size_t i;

	if (!text || journal_open(&j, dir, u, "n1", errmsg) != ERR_OK)
		exit(1);
	for (i = 0; i < 1 << 20; i++)
		text[i] = (char)rand_r(&seed);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		make_rows(&row, &made, 1, (int64_t)i + 1);
		row.payload = (struct slice){ text, sizes[i] };
		if (journal_append(j, &row, 1) != ERR_OK || journal_commit(j) != ERR_OK)
			exit(1);
	}
	journal_close(&j);
	is_int(salvage_large(u, text), ARRAY_SIZE(sizes), "rows of many pages come out");
	path_of(path, u, ".db-wal");
	flip(path, size_of(path) - 100000);
	is_int(salvage_large(u, text), ARRAY_SIZE(sizes) - 1, "but for one with a bit that is wrong");
	is_int(found.last_seq, ARRAY_SIZE(sizes), "which is known to be missing");
	misname(path);
	is_int(salvage_large(u, text), ARRAY_SIZE(sizes) - 1, "does not stand in for that page");
	free(text);
	(void)!dir_remove(dir, u);
}

/* Bytes of a row that changed before SQLite wrote them: its checksums are right, the
 * row's own is not. */
static void
test_changed_row(void)
{
	struct uuid u = make_segment();
	struct segment *s = NULL;
	sqlite3 *db = NULL;
	char path[512];
	int rows = 0;

	path_of(path, u, ".db");
	ok(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, "UPDATE row SET payload ="
	    " replace(payload, 'test', 'tost') WHERE seq = 50", NULL, NULL, NULL) == SQLITE_OK,
	    "one byte of row 50 changes, with all of SQLite's checksums right");
	sqlite3_close(db);
	ok(segment_open(&s, dir, u, errmsg) == ERR_OK && segment_read(s, 0, count, &rows) == ERR_CORRUPT,
	    "the row's own checksum shows it");
	is_int(rows, 49, "the rows before it are handed out");
	segment_close(&s);
	is_int(salvage(u), ROWS - 1, "salvage hands out all but that one");
}

/* A row that is right but for a seq that its file cannot have reached: table places would grow
 * to hold it. */
static void
test_far_seq(void)
{
	const char *sql = "INSERT INTO row(seq, head, kind, received_at, fingerprint, crc, payload)"
	    " VALUES(60000000, 60000000, 0, 1, zeroblob(16), ?, '{}')";
	struct row row = { .seq = 60000000, .head = 60000000, .kind = ROW_EVENT, .received_at = 1,
	    .time = CLOCK_UNSET, .payload = SLICE("{}") };
	struct uuid u = make_segment();
	struct rusage before, after;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	char path[512];
	int n;

	path_of(path, u, ".db");
	if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		exit(1);
	sqlite3_bind_int64(st, 1, row_crc(&row));
	ok(sqlite3_step(st) == SQLITE_DONE, "a row of seq 60,000,000 in a small segment");
	sqlite3_finalize(st);
	sqlite3_close(db);
	getrusage(RUSAGE_SELF, &before);
	n = salvage(u);
	getrusage(RUSAGE_SELF, &after);
	ok(n == ROWS, "salvage brings the others (%d of %d)", n, ROWS);
	ok(after.ru_maxrss - before.ru_maxrss < 64 * 1024, "and takes memory by the size of the files (%ld KiB more)",
	    after.ru_maxrss - before.ru_maxrss);
	(void)!dir_remove(dir, u);
}

int
main(void)
{
	const char *given = getenv("FAULT_SEED"), *times = getenv("FAULT_FLIPS");
	int n = times ? (int)strtol(times, NULL, 10) : 24;

	seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	printf("# seed %u\n", seed);
	uuid_source_init(&ids);
	make_dir(dir);
	is_int(salvage(make_segment()), ROWS, "an undamaged segment gives every row");
	ok(found.end_known && found.last_seq == ROWS && found.io_errors == 0, "and knows that these are all");
	/* one bit costs no more than a turn's rows, which stand on one copy of a page only */
	flips(".db-wal", n, ROWS - 5);
	flips(".db", n, ROWS);
	headers();
	wal_header();
	cuts();
	test_unreadable();
	test_pages();
	test_counts();
	test_forged();
	test_page_end();
	test_circle();
	test_large();
	test_changed_row();
	test_far_seq();
	remove_dir(dir);
	return done();
}
