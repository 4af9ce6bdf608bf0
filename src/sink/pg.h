/*
 * PostgreSQL behind sink.h: what the files of this folder share. Every wait for
 * the server has a deadline; after a failed wait the connection is of no use.
 */
#ifndef SINK_PG_H
#define SINK_PG_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "sink/advice.h"
#include "sink/sink.h"

#define PG_DAYS	64		/* days in one batch */

/* What becomes of a row in an attempt. STANDS: it is there already, as itself. */
enum fate { FATE_LOAD, FATE_STANDS, FATE_REJECTION, FATE_PAST, FATE_DUPLICATE, FATE_BAD, FATE_CLOCK, FATE_UNIQUE };

struct pg {
	struct sink base;		/* first: a struct sink * is a struct pg * */
	const struct conf *conf;
	const char *state_dir, *node;
	PGconn *conn;
	struct advice owner;		/* for messages: how a person reaches this database */
	ConnStatusType reached;		/* how far the last attempt to connect came */
	unsigned tls_failures;		/* attempts in a row that ended in a TLS handshake */
	int server_version;		/* as in server_version_num */
	bool met;			/* what this connection leads to is known: */
	char started[64];		/* when that server was started, */
	struct uuid database;		/* and which database it is */
	bool set_sync;			/* synchronous_commit has to be turned on */
	bool unreplicated;		/* COMMIT's wait for a standby was cut off */
	bool farewell;			/* the server, or what stands before it, has ended the session */
	const char *doing;		/* the statement that is waited for, for messages */
	char sqlstate[6];		/* of the last error, "" when the server sent none */
	char primary[300];		/* and what may be told of it: no data of rows */
	struct sha256 *sha256;		/* made when it is needed */
	char kept_out_by[200];		/* what may have made rows FATE_UNIQUE in this attempt */
	bool carrying;			/* the transaction at hand has rows in it */
	bool unremembered;		/* its id could not be written down: no space */
	int64_t days[PG_DAYS];		/* days whose partition is known to stand */
	struct buf out;			/* COPY data on its way, quarantine's texts */
};

/* One statement of an attempt's parameters: text, or binary with its length. */
struct param { const char *p; int n; bool binary; };

/* --- wire.c: statements with deadlines ------------------------------------ */

/* Keeps the message and returns e. */
enum err pg_fail(struct pg *, enum err e, const char *fmt, ...) PRINTF(3, 4);
/* Waits for the socket, with a tick() first; `deadline` by clock_mono_ms(). */
enum err pg_wait(struct pg *, short events, int64_t deadline) MUST_CHECK;
/*
 * Sends one statement and waits for its result. *res (may be NULL when not wanted)
 * is the caller's to PQclear(), also NULL on error. By SQLSTATE, what passes by itself
 * is ERR_DOWN, and what somebody has to mend ERR_SETUP.
 */
enum err pg_query(struct pg *, PGresult **res, const char *sql, const struct param *, int n) MUST_CHECK;
/* The same without parameters; several statements may stand in sql, *res is the last one's. */
enum err pg_exec(struct pg *, PGresult **res, const char *sql) MUST_CHECK;
/* COMMIT: its tag is COMMIT and no wait for a standby was cut off, else ERR_DOWN. */
enum err pg_commit(struct pg *) MUST_CHECK;

/* COPY ... FROM STDIN: begin, data in pieces, end with the number of rows it took. */
enum err pg_copy_begin(struct pg *, const char *sql) MUST_CHECK;
enum err pg_copy_data(struct pg *, const char *, size_t) MUST_CHECK;
/* *row: row number the server's context names for an error, counted from 1, else 0. */
enum err pg_copy_end(struct pg *, uint64_t *count, uint64_t *row) MUST_CHECK;

/* Is the last error one of the row rather than of the set-up? */
bool pg_row_error(const struct pg *);
/* 23514 without a constraint's name: no partition takes the row. */
#define PG_NO_PARTITION	"noprt"

/* --- words.c: what may be told of an error --------------------------------- */
/* carrying: it may quote rows. own: lines of its context that are the statement's own,
 * so that what is more comes out of a function. */
void pg_words(const PGresult *, bool carrying, size_t own, char *out, size_t n);

/* --- diagnose.c: what to type ---------------------------------------------- */
/* After ERR_SETUP: adds to errmsg what to do, where the catalog tells. Ends the transaction. */
void pg_diagnose(struct pg *);
/* What of the owner's may keep rows out of forebay.event without a word. */
enum err pg_kept_out_by(struct pg *, char *out, size_t n) MUST_CHECK;

/* --- connect.c ------------------------------------------------------------- */
enum err pg_connect(struct sink *) MUST_CHECK;
void pg_disconnect(struct pg *);
enum err pg_look(struct sink *) MUST_CHECK;
#define PG_PASSWORD_MAX	1024
/* The password of flush.password_file or of systemd's credentials, "" when there is
 * none. ERR_SETUP: the file that *path names cannot be read. */
enum err pg_password(const struct conf *, char out[PG_PASSWORD_MAX], char path[1024]) MUST_CHECK;

/* --- session.c ------------------------------------------------------------- */
/* After connecting: what is there, and is it what this journal is loaded into? */
enum err pg_meet(struct pg *) MUST_CHECK;
/* BEGIN with settings that end with the transaction. ERR_DOWN: a standby, or not the
 * server and database that were met. ERR_SETUP: a person must act. */
enum err pg_begin(struct pg *) MUST_CHECK;
/* ROLLBACK where there is something to roll back; keeps the last error's words. */
enum err pg_undo(struct pg *) MUST_CHECK;
/* Writes the database's id beside the journal; no space for it is no error, but
 * unremembered: try again. */
enum err pg_remember(struct pg *) MUST_CHECK;

/* --- progress.c ------------------------------------------------------------ */
enum err pg_progress(struct sink *, struct sink_progress *, size_t n) MUST_CHECK;
/* Inserts what is missing and locks all parts' rows; last[i] is part i's last_seq. */
enum err pg_progress_lock(struct pg *, const struct sink_batch *, int64_t last[]) MUST_CHECK;

struct tally { uint64_t loaded, duplicates, quarantined, rejected; };
/* Moves each part's row from last[i] to its end; parts without a new row stay. */
enum err pg_progress_update(struct pg *, const struct sink_batch *, const int64_t last[],
			    const struct tally[]) MUST_CHECK;

/* --- partition.c ----------------------------------------------------------- */
/* Makes the partitions of the batch's days; rows of days that can have none get
 * FATE_CLOCK. Own transaction. */
enum err pg_partitions(struct pg *, const struct sink_batch *, uint8_t fate[]) MUST_CHECK;
void pg_partitions_forget(struct pg *);
enum err pg_maintain(struct sink *) MUST_CHECK;

/* --- load.c ---------------------------------------------------------------- */
/* Yesterday's duplicates, then the rows with FATE_LOAD; may turn them into
 * FATE_STANDS, FATE_DUPLICATE and FATE_UNIQUE. */
enum err pg_load_events(struct pg *, const struct sink_batch *, enum sink_mode, uint8_t fate[],
			struct sink_result *) MUST_CHECK;
enum err pg_load_rejections(struct pg *, const struct sink_batch *, enum sink_mode, const uint8_t fate[],
			    struct sink_result *) MUST_CHECK;
size_t pg_count(const struct sink_batch *, const uint8_t fate[], enum fate);
/* What e of a statement means that has sent the rows of one fate: ERR_INVALID and result's
 * `refused` when it is of a row, the nth, 0: nobody knows. */
enum err pg_load_err(struct pg *, enum err e, const struct sink_batch *, const uint8_t fate[], enum fate sent,
		     uint64_t nth, struct sink_result *);
/* A day's first moment as a parameter. */
struct param pg_midnight(int64_t day, char out[CLOCK_TEXT + 16]);

/* --- insert.c -------------------------------------------------------------- */
/* Rows with FATE_LOAD that need not go in become FATE_STANDS or FATE_DUPLICATE. */
enum err pg_find_events(struct pg *, const struct sink_batch *, uint8_t fate[]) MUST_CHECK;
/* The rows with FATE_LOAD; may turn them into FATE_DUPLICATE and FATE_UNIQUE. */
enum err pg_insert_events(struct pg *, const struct sink_batch *, uint8_t fate[],
			  struct sink_result *) MUST_CHECK;
enum err pg_insert_rejections(struct pg *, const struct sink_batch *, const uint8_t fate[],
			      struct sink_result *) MUST_CHECK;

/* --- differ.c -------------------------------------------------------------- */
/* Fills differing and differs of the result from the rows with FATE_DUPLICATE. */
enum err pg_differing(struct pg *, const struct sink_batch *, const uint8_t fate[],
		      struct sink_result *) MUST_CHECK;

/* --- quarantine.c ---------------------------------------------------------- */
enum err pg_quarantine(struct pg *, const struct sink_batch *, const uint8_t fate[],
		       const struct sink_bad *, size_t n_bad) MUST_CHECK;

#endif
