/*
 * Rows in memory as a table of SQLite, so that one INSERT ... SELECT takes all rows of
 * a request: a statement a row costs half as much again (decision 0003).
 */
#ifndef JOURNAL_FEED_H
#define JOURNAL_FEED_H

#include "journal/sqlite.h"

/* What the table `feed` holds: the columns of row but seq. Borrowed while a statement
 * that reads it runs. */
struct feed {
	const struct row *rows;	/* seq and head are set; their CRC is made here */
	size_t n;
};

/* Makes the table on this connection; the feed must outlive it. SQLite's code. */
int feed_register(sqlite3 *, struct feed *);

#endif
