/*
 * What SQL over the journal may do: read our tables, and compute. What is allowed stands in
 * lists; all else is refused when a statement is prepared: functions and modules that reach
 * files, other databases, pragmas, and whatever a later SQLite brings.
 */
#ifndef JOURNAL_QUERY_ALLOW_H
#define JOURNAL_QUERY_ALLOW_H

#include "journal/sqlite.h"

/* Names of the functions that may be called, as many as there are; for the tests. */
extern const char *const query_functions[];
extern const size_t n_query_functions;

/* Once, when all tables and settings are in place. An SQLite code. */
int query_allow(sqlite3 *);

#endif
