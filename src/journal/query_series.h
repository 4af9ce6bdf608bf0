/*
 * generate_series(start, stop, step), as the sqlite3 shell has it: whole numbers from start to
 * stop. step is 1 unless given, and may be negative; without stop there are 2^32.
 */
#ifndef JOURNAL_QUERY_SERIES_H
#define JOURNAL_QUERY_SERIES_H

#include "journal/sqlite.h"

/* An SQLite code. */
int query_series(sqlite3 *);

#endif
