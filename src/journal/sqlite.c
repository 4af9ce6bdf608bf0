#include "journal/sqlite.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crc.h"
#include "journal/journal.h"

#define PAGE_MIN	512	/* the smallest that SQLite has */

enum err
segment_path(char out[SEGMENT_PATH], const char *dir, struct uuid u, const char *suffix)
{
	char text[UUID_TEXT];
	int n = snprintf(out, SEGMENT_PATH, "%s/%s%s", dir, uuid_text(u, text), suffix);

	return n > 0 && n < SEGMENT_PATH ? ERR_OK : ERR_INVALID;
}

enum err
sqlite_err(int rc)
{
	switch (rc & 0xFF) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return ERR_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_BUSY;
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_NOMEM:
		return ERR_NOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_MISUSE:
		return ERR_BUG;
	default:
		return ERR_IO;
	}
}

void
sqlite_explain(sqlite3 *db, const char *what, char errmsg[256])
{
	int rc = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	/* what the system said: SQLite keeps it for these */
	bool said = (rc & 0xFF) == SQLITE_CANTOPEN || ((rc & 0xFF) == SQLITE_IOERR && rc != SQLITE_IOERR_SHORT_READ);
	int cause = said ? sqlite3_system_errno(db) : 0;

	snprintf(errmsg, 256, "%s: %s (SQLite code %d)%s%s", what, db ? sqlite3_errmsg(db) : "out of memory", rc,
	    cause ? ": " : "", cause ? strerror(cause) : "");
}

/* https://sqlite.org/security.html: what a database that only holds rows never needs */
static int
defend(sqlite3 *db)
{
	static const int off[] = {
		SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER,
		SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
		SQLITE_DBCONFIG_DQS_DDL, SQLITE_DBCONFIG_DQS_DML,
	};
	size_t i;
	int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

	for (i = 0; rc == SQLITE_OK && i < ARRAY_SIZE(off); i++)
		rc = sqlite3_db_config(db, off[i], 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);	/* INV-10 */
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	return rc;
}

enum err
sqlite_open(sqlite3 **out, const char *path, int flags, char errmsg[256])
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db,
	    flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE, NULL);

	*out = NULL;
	if (rc == SQLITE_OK)
		rc = defend(db);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db, 2000);
	if (rc != SQLITE_OK) {
		sqlite_explain(db, "open", errmsg);
		sqlite3_close(db);
		return sqlite_err(rc);
	}
	*out = db;
	return ERR_OK;
}

/* "file:PATH?param", with what means something in a URI escaped. */
static void
uri_of(char out[3 * SEGMENT_PATH + 32], const char *path, const char *param)
{
	size_t n = (size_t)snprintf(out, 6, "file:");

	for (; *path; path++)
		n += (size_t)snprintf(out + n, 4, strchr("%?#", *path) ? "%%%02X" : "%c", *path);
	snprintf(out + n, 32, "?%s", param);
}

static bool
has_index(const char *dir, struct uuid uuid)
{
	char path[SEGMENT_PATH];
	struct stat st;

	return segment_path(path, dir, uuid, ".db-shm") == ERR_OK && stat(path, &st) == 0;
}

/* A copy without its -shm has no writer either, so nobody has to be told of locks: then the
 * index can be in memory, and no file is made, which a read-only volume would not take. */
static enum err
open_alone(sqlite3 **out, const char *path, char errmsg[256])
{
	char uri[3 * SEGMENT_PATH + 32];
	enum err e;

	uri_of(uri, path, "vfs=unix-none");
	e = sqlite_open(out, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, errmsg);
	if (e != ERR_OK)
		return e;
	e = sqlite_err(sqlite3_exec(*out, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL));
	if (e != ERR_OK)
		sqlite_explain(*out, "locking_mode", errmsg);
	return e;
}

static enum err
open_segment_file(sqlite3 **out, const char *dir, struct uuid uuid, bool untouched, char errmsg[256])
{
	char path[SEGMENT_PATH], uri[3 * SEGMENT_PATH + 32];
	struct stat st;
	enum err e = segment_path(path, dir, uuid, ".db");

	*out = NULL;
	if (e != ERR_OK) {
		snprintf(errmsg, 256, "the journal's path is too long");
	} else if (stat(path, &st) != 0) {
		e = ERR_DOWN;
		snprintf(errmsg, 256, "the database file is missing");
	} else if (st.st_size < PAGE_MIN) {
		/* SQLite takes a file of no byte, or of one, for a new database, and deletes
		 * its WAL unread */
		e = ERR_CORRUPT;
		snprintf(errmsg, 256, "the database file has not even one page");
	}
	if (e != ERR_OK)
		return e;
	if (!has_index(dir, uuid))
		return open_alone(out, path, errmsg);
	if (!untouched)
		return sqlite_open(out, path, SQLITE_OPEN_READONLY, errmsg);
	uri_of(uri, path, "readonly_shm=1");
	return sqlite_open(out, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, errmsg);
}

/* --- is it what its name says? ------------------------------------------------------------ */

static enum err
refuse(enum err e, char errmsg[256], const char *what)
{
	snprintf(errmsg, 256, "%s", what);
	return e;
}

/* A row of numbers or texts; SQLITE_ROW, or what went wrong. */
static int
ask(sqlite3 *db, const char *sql, sqlite3_stmt **st)
{
	int rc = sqlite3_prepare_v2(db, sql, -1, st, NULL);

	return rc == SQLITE_OK ? sqlite3_step(*st) : rc;
}

/* The statements are right: what SQLite finds wrong with them is the file's. */
static enum err
asked(int rc)
{
	return (rc & 0xFF) == SQLITE_ERROR ? ERR_CORRUPT : sqlite_err(rc);
}

/* Which of the tables are there, word for word, and how much else. */
static enum err
look_at_tables(sqlite3 *db, bool *meta, bool *all, char errmsg[256])
{
	sqlite3_stmt *st;
	int rc = ask(db, "SELECT total(sql = '" SCHEMA_META "'), total(sql = '" SCHEMA_ROW "'), count(*)"
	    " FROM sqlite_schema", &st);

	*meta = *all = false;
	if (rc == SQLITE_ROW) {
		*meta = sqlite3_column_int(st, 0) == 1;
		*all = *meta && sqlite3_column_int(st, 1) == 1 && sqlite3_column_int(st, 2) == 2;
	} else {
		sqlite_explain(db, "schema", errmsg);
	}
	sqlite3_finalize(st);
	return asked(rc);
}

/* A damaged digit is taken for another format, which does no harm: a person looks. */
static enum err
check_meta(sqlite3 *db, struct uuid uuid, bool all, char errmsg[256])
{
	sqlite3_stmt *st;
	char want[UUID_TEXT];
	const char *format, *name;
	enum err e = ERR_OK;
	int rc = ask(db, "SELECT (SELECT value FROM meta WHERE key = 'format'),"
	    " (SELECT value FROM meta WHERE key = 'segment')", &st);

	format = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
	name = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 1) : NULL;
	if (rc != SQLITE_ROW) {
		sqlite_explain(db, "meta", errmsg);
		e = asked(rc);
	} else if (!format || !name || strcmp(name, uuid_text(uuid, want)) != 0 || strtol(format, NULL, 10) <= 0) {
		e = refuse(ERR_CORRUPT, errmsg, "not a segment of this name");
	} else if (strtol(format, NULL, 10) != JOURNAL_FORMAT) {
		snprintf(errmsg, 256, "it is of format %.8s, and this version reads %d", format, JOURNAL_FORMAT);
		e = ERR_SETUP;
	} else if (!all) {
		e = refuse(ERR_CORRUPT, errmsg, "its tables are not those of a segment");
	}
	sqlite3_finalize(st);
	return e;
}

/*
 * Nothing of table row is asked before it is known to be ours: a virtual table of that name
 * would be code of SQLite's that reads what somebody has put there.
 */
static enum err
check_segment(sqlite3 *db, struct uuid uuid, char errmsg[256])
{
	bool meta, all;
	enum err e;
	int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);

	if (rc != SQLITE_OK) {
		sqlite_explain(db, "begin", errmsg);
		return sqlite_err(rc);
	}
	e = look_at_tables(db, &meta, &all, errmsg);
	if (e == ERR_OK && !meta)
		e = refuse(ERR_CORRUPT, errmsg, "its tables are not those of a segment");
	return e == ERR_OK ? check_meta(db, uuid, all, errmsg) : e;
}

enum err
sqlite_open_segment(sqlite3 **out, const char *dir, struct uuid uuid, bool untouched, char errmsg[256])
{
	enum err e = open_segment_file(out, dir, uuid, untouched, errmsg);

	if (e == ERR_OK)
		e = check_segment(*out, uuid, errmsg);
	if (e != ERR_OK) {
		sqlite3_close(*out);
		*out = NULL;
	}
	return e;
}

/* The numbers first, then the lengths of the texts (-1: absent), so that bytes cannot
 * move from one column to the next; all of them little-endian, 64 bits. */
uint32_t
row_crc(const struct row *r)
{
	const struct slice texts[] = {
		r->key, r->source, r->id, r->type, r->subject, r->reason, r->context, r->payload,
	};
	uint64_t n[5 + ARRAY_SIZE(texts)] = {
		htole64((uint64_t)r->seq), htole64((uint64_t)r->head), htole64((uint64_t)r->kind),
		htole64((uint64_t)r->received_at), htole64((uint64_t)r->time),
	};
	uint32_t crc;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		n[5 + i] = texts[i].p ? htole64(texts[i].n) : UINT64_MAX;
	crc = crc32c(0, n, sizeof n);
	crc = crc32c(crc, r->fingerprint.b, sizeof r->fingerprint.b);
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].n > 0)
			crc = crc32c(crc, texts[i].p, texts[i].n);
	return crc;
}

struct slice
row_column(sqlite3_stmt *st, int c)
{
	/* the blob first: column_bytes() then counts bytes of what is stored */
	const char *p = sqlite3_column_type(st, c) == SQLITE_NULL ? NULL : sqlite3_column_blob(st, c);

	if (sqlite3_column_type(st, c) != SQLITE_NULL && !p)
		p = "";			/* an empty value has no blob */
	return (struct slice){ p, p ? (size_t)sqlite3_column_bytes(st, c) : 0 };
}

bool
row_read(sqlite3_stmt *st, struct row *r)
{
	struct slice fp = row_column(st, COL_FINGERPRINT);

	if (fp.n != sizeof r->fingerprint.b)
		return false;
	memcpy(r->fingerprint.b, fp.p, fp.n);
	r->seq = sqlite3_column_int64(st, COL_SEQ);
	r->head = sqlite3_column_int64(st, COL_HEAD);
	r->kind = sqlite3_column_int(st, COL_KIND) == ROW_EVENT ? ROW_EVENT : ROW_REJECTION;
	r->received_at = sqlite3_column_int64(st, COL_RECEIVED_AT);
	r->time = sqlite3_column_type(st, COL_TIME) == SQLITE_NULL ? CLOCK_UNSET
	    : sqlite3_column_int64(st, COL_TIME);
	r->key = row_column(st, COL_KEY);
	r->source = row_column(st, COL_SOURCE);
	r->id = row_column(st, COL_ID);
	r->type = row_column(st, COL_TYPE);
	r->subject = row_column(st, COL_SUBJECT);
	r->reason = row_column(st, COL_REASON);
	r->context = row_column(st, COL_CONTEXT);
	r->payload = row_column(st, COL_PAYLOAD);
	return row_crc(r) == (uint32_t)sqlite3_column_int64(st, COL_CRC);
}
