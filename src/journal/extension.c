/*
 * The tables of query_table.h for the sqlite3 shell and whatever else loads SQLite
 * extensions: `forebay query` runs the shell with it, and `.load forebay_journal`
 * does in any other. FOREBAY_JOURNAL_DIR names the journal, FOREBAY_QUERY_TIMEOUT the
 * time limit of a statement in seconds (30; 0: none).
 */
#include <stdlib.h>

#include "journal/sqlite.h"

SQLITE_EXTENSION_INIT1

#include "journal/query_table.h"

int sqlite3_forebayjournal_init(sqlite3 *, char **errmsg, const sqlite3_api_routines *);

/* SQLite makes the name from the file's, forebay_journal.so. */
__attribute__((visibility("default"))) int
sqlite3_forebayjournal_init(sqlite3 *db, char **errmsg UNUSED, const sqlite3_api_routines *api)
{
	const char *dir = getenv("FOREBAY_JOURNAL_DIR"), *limit = getenv("FOREBAY_QUERY_TIMEOUT");

	SQLITE_EXTENSION_INIT2(api);
	return query_register(db, dir && *dir ? dir : "/var/lib/forebay/journal",
	    limit ? strtoll(limit, NULL, 10) * 1000 : 30000);
}
