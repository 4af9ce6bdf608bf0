/*
 * From the conditions of a statement to the bounds of a scan: what query_table.h's
 * tables tell SQLite's planner, and what they make of its plan.
 */
#ifndef JOURNAL_QUERY_PLAN_H
#define JOURNAL_QUERY_PLAN_H

#include "journal/query_scan.h"
#include "journal/sqlite.h"

/* How a column is made, and with it which conditions on it help. */
enum how {
	AS_TEXT,	/* as it stands, and equality is pushed down */
	AS_IS,
	AS_SEQ,
	AS_SEGMENT,
	AS_RECEIVED_AT,
	AS_TIME,
	AS_UUID,
	AS_RECEIPT,	/* of the request whose number of events is at hand */
	AS_ARGUMENT,	/* hidden: the receipt that the table is called with */
};

struct column { const char *name, *expr; enum how how; };

/* A table: which rows of a segment are its, and its columns, ended by a name of NULL. */
struct kind { const char *name, *where; const struct column *columns; };

/* xBestIndex. */
int plan_best(const struct column *, sqlite3_index_info *);
/* xFilter: fills the bounds, freshly initialised, and *sql, which is the caller's to
 * free(): r.seq first, then the table's columns, NULL for those not used. */
int plan_bounds(sqlite3_vtab *, const struct kind *, unsigned used, const char *plan, int argc,
		sqlite3_value **argv, struct scan_bounds *, char **sql);
/* Leaves the message with the table and returns rc. */
int plan_fail(sqlite3_vtab *, int rc, const char *message);

#endif
