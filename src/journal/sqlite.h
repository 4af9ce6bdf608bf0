/*
 * What writer and reader share: names of a segment's files, SQLite's result codes
 * as ours, the columns, and the checksum of a row.
 */
#ifndef JOURNAL_SQLITE_H
#define JOURNAL_SQLITE_H

#ifdef JOURNAL_EXTENSION		/* inside another program's SQLite: call by its table */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

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
/* Opens a born segment read-only. ERR_DOWN: it is gone; ERR_CORRUPT: its file is empty. */
enum err sqlite_open_segment(sqlite3 **, const char *dir, struct uuid, char errmsg[256]) MUST_CHECK;
void sqlite_explain(sqlite3 *, const char *what, char errmsg[256]);

/* Columns of table row, in the order of the schema. payload stays last, so that
 * what comes before it is read without its overflow pages. */
enum row_column {
	COL_SEQ, COL_HEAD, COL_KIND, COL_RECEIVED_AT, COL_TIME, COL_FINGERPRINT, COL_KEY,
	COL_SOURCE, COL_ID, COL_TYPE, COL_SUBJECT, COL_REASON, COL_CONTEXT, COL_CRC, COL_PAYLOAD,
	COL_COUNT
};
#define ROW_COLUMNS \
	"seq, head, kind, received_at, time, fingerprint, key, source, id, type, subject, " \
	"reason, context, crc, payload"

/* CRC-32C over every column but crc; context is that of the head row or absent. */
uint32_t row_crc(const struct row *);

#endif
