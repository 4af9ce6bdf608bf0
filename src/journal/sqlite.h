/*
 * What writer and reader share: names of a segment's files, SQLite's result codes
 * as ours, the columns, and the checksum of a row.
 */
#ifndef JOURNAL_SQLITE_H
#define JOURNAL_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/uuid.h"
#include "event/row.h"

#define SEGMENT_PATH	1024
/* "dir/<uuid>suffix"; ERR_INVALID when it does not fit. suffix: ".db", ".db-wal" ... */
enum err segment_path(char out[SEGMENT_PATH], const char *dir, struct uuid, const char *suffix);

enum err sqlite_err(int rc);

/* Opens with our flags and defensive settings; on error the connection is closed
 * and errmsg (256 bytes) says what. */
enum err sqlite_open(sqlite3 **, const char *path, int flags, char errmsg[256]);
/* Opens a born segment read-only (INV-6) and begins a transaction, in which it has made sure that the
 * tables are ours, and those of this segment. The caller ends it. ERR_DOWN: it is gone;
 * ERR_CORRUPT: damaged, or not what its name says; ERR_SETUP: of another format. Of a segment without a writer SQLite makes the -shm file anew, which an fsync of the
 * writer next door then waits for; untouched, or where none is there: it is made in memory. */
enum err sqlite_open_segment(sqlite3 **, const char *dir, struct uuid, bool untouched,
			     char errmsg[256]) MUST_CHECK;
void sqlite_explain(sqlite3 *, const char *what, char errmsg[256]);

/* Columns of table row, in the order of the schema. payload stays last, so that
 * what comes before it is read without its overflow pages. */
enum row_column {
	COL_SEQ, COL_HEAD, COL_KIND, COL_RECEIVED_AT, COL_TIME, COL_FINGERPRINT, COL_KEY,
	COL_SOURCE, COL_ID, COL_TYPE, COL_SUBJECT, COL_REASON, COL_CONTEXT, COL_CRC, COL_PAYLOAD,
	COL_COUNT
};
#define ROW_COLUMNS "seq, " ROW_COLUMNS_BUT_SEQ
#define ROW_COLUMNS_BUT_SEQ \
	"head, kind, received_at, time, fingerprint, key, source, id, type, subject, " \
	"reason, context, crc, payload"

/* The tables of a segment. time, key ... are NULL when absent; context stands on the
 * request's head row only; payload is TEXT for events, BLOB for rejections; times are
 * microseconds since 1970 UTC. */
#define SCHEMA_META "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
#define SCHEMA_ROW \
	"CREATE TABLE row(" \
	" seq INTEGER PRIMARY KEY," \
	" head INTEGER NOT NULL," \
	" kind INTEGER NOT NULL," \
	" received_at INTEGER NOT NULL," \
	" time INTEGER," \
	" fingerprint BLOB NOT NULL," \
	" key TEXT, source TEXT, id TEXT, type TEXT, subject TEXT," \
	" reason TEXT," \
	" context TEXT," \
	" crc INTEGER NOT NULL," \
	" payload NOT NULL)"
#define SEGMENT_SCHEMA SCHEMA_META ";" SCHEMA_ROW ";"

/* A column's bytes, whatever its type; absent: NULL. Live until the next step. */
struct slice row_column(sqlite3_stmt *, int column);
/* The current row of a statement over ROW_COLUMNS; slices live until the next step.
 * false: it is not what was written. context is as stored. */
bool row_read(sqlite3_stmt *, struct row *);

/* CRC-32C over every column but crc, as sqlite.c puts them in a line; context is that of the head row or absent. */
uint32_t row_crc(const struct row *);

#endif
