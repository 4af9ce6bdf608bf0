#include "journal/cells.h"

#include <string.h>

#include "journal/frames.h"
#include "journal/sqlite.h"

#define PAGE		FRAME_PAGE
#define LEAF		13	/* a page's first byte: leaf of a table */
#define PAGE_HEADER	8
/* Bytes of a record that stay on the leaf: all up to LOCAL_MAX, else at least LOCAL_MIN. */
#define LOCAL_MAX	(PAGE - 35)
#define LOCAL_MIN	((PAGE - 12) * 32 / 255 - 23)
#define REST_PAGE	(PAGE - 4)

struct span { const uint8_t *p, *end; };
/* Where a record's column lies in it. */
struct column { uint64_t type; size_t at, n; };

static size_t
be16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* SQLite's numbers of seven bits a byte, eight in the ninth. */
static bool
varint(struct span *s, uint64_t *v)
{
	int i;

	*v = 0;
	for (i = 0; i < 8 && s->p < s->end; i++) {
		*v = *v << 7 | (*s->p & 0x7F);
		if (!(*s->p++ & 0x80))
			return true;
	}
	if (s->p >= s->end)
		return false;
	*v = *v << 8 | *s->p++;
	return true;
}

static size_t
pointer(const uint8_t *page, size_t i)
{
	return be16(page + PAGE_HEADER + 2 * i);
}

size_t
cells_count(const uint8_t *page)
{
	size_t n = be16(page + 3), content = be16(page + 5), room, lowest;

	/* An overflow page, whose bytes somebody else may have chosen: it begins with the
	 * number of the next, which is below 2^24. No bit that is wrong makes a leaf's 13 zero. */
	if (page[0] == 0)
		return 0;
	/* page 1: its text would be taken for cells */
	if (memcmp(page, "SQLite format 3", 16) == 0)
		return 0;
	/* where content begins there are no pointers any more */
	room = content < PAGE_HEADER ? 0 : (content - PAGE_HEADER) / 2;
	if (n > room)
		n = room;
	if (n > CELLS_ON_PAGE)
		n = CELLS_ON_PAGE;
	/* either may be too small by a bit: rows are appended, each below the one before */
	lowest = n > 0 ? pointer(page, n - 1) : PAGE;
	while (n < CELLS_ON_PAGE && pointer(page, n) < lowest && pointer(page, n) >= PAGE_HEADER + 2 * (n + 1))
		lowest = pointer(page, n++);
	return n;
}

/* The record's size, its row's seq, and what is on the page from the record on. */
static bool
cell(const uint8_t *page, size_t i, uint64_t *size, int64_t *seq, struct span *record)
{
	size_t at = pointer(page, i);
	uint64_t key;

	/* behind its pointer at least: pages that are none of the table are full of zeros */
	if (at < PAGE_HEADER + 2 * (i + 1) || at >= PAGE)
		return false;
	*record = (struct span){ page + at, page + PAGE };
	if (!varint(record, size) || !varint(record, &key))
		return false;
	*seq = (int64_t)key;
	return true;
}

int64_t
cells_seq(const uint8_t *page, size_t i)
{
	struct span record;
	uint64_t size;
	int64_t seq;

	return cell(page, i, &size, &seq, &record) ? seq : 0;
}

int64_t
cells_last(const uint8_t *page)
{
	size_t n = cells_count(page);

	return page[0] == LEAF && n > 0 ? cells_seq(page, n - 1) : 0;
}

/* From the record's header, of which n bytes are at hand: what is there must add up. */
static bool
columns(const uint8_t *record, size_t n, uint64_t size, struct column c[COL_COUNT])
{
	static const uint8_t sizes[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0 };
	struct span s = { record, record + n };
	uint64_t header, at;
	size_t i;

	if (!varint(&s, &header) || header > n)
		return false;
	s.end = record + header;
	for (at = header, i = 0; i < COL_COUNT; i++) {
		if (!varint(&s, &c[i].type) || c[i].type == 10 || c[i].type == 11)
			return false;
		c[i].n = c[i].type < 10 ? sizes[c[i].type] : (c[i].type - 12) / 2;
		c[i].at = at;
		if (c[i].n > size - at)
			return false;
		at += c[i].n;
	}
	return s.p == s.end && at == size;
}

static int64_t
number(const uint8_t *record, struct column c)
{
	int64_t v;
	size_t i;

	if (c.type == 0 || c.type >= 8)
		return c.type == 9;
	v = (int8_t)record[c.at];
	for (i = 1; i < c.n; i++)
		v = v * 256 + record[c.at + i];
	return v;
}

static struct slice
text(const uint8_t *record, struct column c)
{
	return c.type == 0 ? (struct slice){ NULL, 0 }
	    : (struct slice){ (const char *)record + c.at, c.n };
}

static bool
to_row(const uint8_t *record, const struct column c[COL_COUNT], int64_t seq, struct row *r)
{
	struct slice fingerprint = text(record, c[COL_FINGERPRINT]);

	if (fingerprint.n != sizeof r->fingerprint.b)
		return false;
	memcpy(r->fingerprint.b, fingerprint.p, fingerprint.n);
	r->seq = seq;
	r->head = number(record, c[COL_HEAD]);
	r->kind = number(record, c[COL_KIND]) == ROW_EVENT ? ROW_EVENT : ROW_REJECTION;
	r->received_at = number(record, c[COL_RECEIVED_AT]);
	r->time = c[COL_TIME].type == 0 ? CLOCK_UNSET : number(record, c[COL_TIME]);
	r->key = text(record, c[COL_KEY]);
	r->source = text(record, c[COL_SOURCE]);
	r->id = text(record, c[COL_ID]);
	r->type = text(record, c[COL_TYPE]);
	r->subject = text(record, c[COL_SUBJECT]);
	r->reason = text(record, c[COL_REASON]);
	r->context = text(record, c[COL_CONTEXT]);
	r->payload = text(record, c[COL_PAYLOAD]);
	return row_crc(r) == (uint32_t)number(record, c[COL_CRC]);
}

/* The record's first n bytes, and then those on the pages of the chain behind them. */
static bool
join(const uint8_t *record, size_t n, size_t size, cells_page *page, void *arg, struct buf *out)
{
	uint32_t next = be32(record + n);
	const uint8_t *p;

	buf_reset(out);
	buf_room(out, size);
	buf_put(out, record, n);
	for (; out->n < size && !out->failed; next = be32(p)) {
		p = page(arg, next);
		if (!p)
			return false;
		n = size - out->n < REST_PAGE ? size - out->n : REST_PAGE;
		buf_put(out, p + 4, n);
	}
	return !out->failed;
}

/* The row of a record, of which `local` bytes are on the page. */
static bool
record_row(struct span record, size_t size, size_t local, int64_t seq, cells_page *more, void *arg,
	   struct buf *rest, struct row *out)
{
	struct column c[COL_COUNT];

	if (!columns(record.p, local, size, c))
		return false;
	if (local == size)
		return to_row(record.p, c, seq, out);
	return join(record.p, local, size, more, arg, rest) &&
	    to_row((const uint8_t *)rest->p, c, seq, out);
}

bool
cells_row(const uint8_t *page, size_t i, cells_page *more, void *arg, struct buf *rest, struct row *out)
{
	struct span record;
	uint64_t size;
	int64_t seq;
	size_t local;

	if (!cell(page, i, &size, &seq, &record) || size > rest->max)
		return false;
	local = size;
	if (size > LOCAL_MAX) {
		local = LOCAL_MIN + (size - LOCAL_MIN) % REST_PAGE;
		if (local > LOCAL_MAX)
			local = LOCAL_MIN;
	}
	if (local + (local < size ? 4 : 0) > (size_t)(record.end - record.p))
		return false;
	return record_row(record, size, local, seq, more, arg, rest, out);
}
