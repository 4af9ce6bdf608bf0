/*
 * The rows on a page of table row, by its bytes alone: for pages to which no b-tree leads
 * any more. A row counts when its CRC says that it is what was written, whatever else is
 * on the page.
 *
 * Format: https://sqlite.org/fileformat2.html (b-tree pages, record format)
 */
#ifndef JOURNAL_CELLS_H
#define JOURNAL_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "event/row.h"
#include "journal/frames.h"

/* The most rows that a page can hold. Each takes a pointer (2 bytes), size and seq (1 each), a
 * header (its length and 15 types, 1 each) and a fingerprint (16) at least. */
#define CELLS_ON_PAGE	((FRAME_PAGE - 8) / 36)

/* The FRAME_PAGE bytes of the page of that number, for rows that go on there; they live
 * until the next call. NULL: they cannot be had. */
typedef const uint8_t *cells_page(void *arg, uint32_t number);

/* How many cells there are to try, of which some may be none. */
size_t cells_count(const uint8_t *page);
/* seq of cell i, by its word alone, or 0. */
int64_t cells_seq(const uint8_t *page, size_t i);
/* Largest seq on a leaf of table row, by its word alone; other pages: 0. */
int64_t cells_last(const uint8_t *page);

/*
 * The row in cell i. Slices point into the page, or into `rest`, whose max is the size of
 * the largest row; context is as stored. false: there is none that is as it was written,
 * or memory ran out, and rest->failed.
 */
bool cells_row(const uint8_t *page, size_t i, cells_page *, void *arg, struct buf *rest,
	       struct row *out) MUST_CHECK;

#endif
