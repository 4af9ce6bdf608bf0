/*
 * What holds in a transaction. Behind a pooler each one may run in another session of
 * the server, which others use before and after it, and even on another server than the
 * one before: so settings are made in each and end with it, and what was found at connect
 * is looked at again, all in the round trip of BEGIN. Nothing is left in the session.
 *
 * SET LOCAL and not set_config(), which makes RDS Proxy keep the session for us.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "sink/pg.h"

#define SCHEMA_NEEDED	6	/* number of the newest file in sql/ that this code builds on */
#define HAS_TRANSACTION_TIMEOUT	170000

/*
 * Timeouts end what a dead or frozen client holds; they come first, for others may be in
 * force until then. The warning that a commit was not replicated must get through. Hash
 * and merge joins would read whole partitions to look up a batch; without seqscan costs
 * look high enough to be worth compiling.
 */
#define SETTINGS \
	"SET LOCAL statement_timeout = '60s';" \
	"SET LOCAL lock_timeout = '10s';" \
	"SET LOCAL idle_in_transaction_session_timeout = '60s';" \
	"SET LOCAL search_path = pg_catalog, pg_temp;" \
	"SET LOCAL client_encoding = 'UTF8';" \
	"SET LOCAL client_min_messages = warning;" \
	"SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off;" \
	"SET LOCAL jit = off;"

enum { STANDBY, READ_ONLY, ENCODING, SYNC, STARTED, DATABASE };	/* columns of: */
#define LOOK \
	"SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('server_encoding')," \
	" current_setting('synchronous_commit'), extract(epoch FROM pg_postmaster_start_time()),"

static const char *
field(const PGresult *res, int column)
{
	return PQntuples(res) == 1 && !PQgetisnull(res, 0, column) ? PQgetvalue(res, 0, column) : "";
}

/* Of off, local and remote_write: a commit that is answered has to last. */
static enum err
sync_up(struct pg *p, const char *sync)
{
	if (strcmp(sync, "on") == 0 || strcmp(sync, "remote_apply") == 0)
		return ERR_OK;
	if (p->set_sync)
		return pg_fail(p, ERR_SETUP, "synchronous_commit is %s and cannot be turned on", sync);
	p->set_sync = true;	/* with the next BEGIN */
	return pg_exec(p, NULL, "SET LOCAL synchronous_commit = on");
}

/* The same server and database as at connect. */
static bool
is_same(const struct pg *p, const PGresult *res)
{
	char id[UUID_TEXT];

	return !p->met || (strcmp(field(res, STARTED), p->started) == 0 &&
	    strcmp(field(res, DATABASE), uuid_text(p->database, id)) == 0);
}

static enum err
look(struct pg *p, const PGresult *res)
{
	if (field(res, STANDBY)[0] == 't')
		return pg_fail(p, ERR_DOWN, "the server is a standby, read-only until it is promoted");
	if (strcmp(field(res, READ_ONLY), "on") == 0)
		return pg_fail(p, ERR_SETUP, "default_transaction_read_only is on, as providers set it when the "
		    "volume is nearly full: make room, or turn it off where pg_settings says that it was set; "
		    "nothing is written until then");
	if (strcmp(field(res, ENCODING), "UTF8") != 0)
		return pg_fail(p, ERR_SETUP, "the database's encoding is %s, it has to be UTF8; make one with: "
		    "CREATE DATABASE forebay ENCODING 'UTF8' TEMPLATE template0", field(res, ENCODING));
	if (!is_same(p, res))
		return pg_fail(p, ERR_DOWN, "another server or database answers than at connect: progress is read again");
	return sync_up(p, field(res, SYNC));
}

enum err
pg_begin(struct pg *p)
{
	PGresult *res = NULL;
	char sql[1200];
	enum err e;

	snprintf(sql, sizeof sql, "BEGIN ISOLATION LEVEL READ COMMITTED;" SETTINGS "%s%s" LOOK "%s",
	    p->server_version >= HAS_TRANSACTION_TIMEOUT ? "SET LOCAL transaction_timeout = 0;" : "",
	    p->set_sync ? "SET LOCAL synchronous_commit = on;" : "",
	    p->met ? "(SELECT id FROM forebay.database)" : "NULL");
	e = pg_exec(p, &res, sql);
	if (e == ERR_OK)
		e = look(p, res);
	if (e == ERR_OK && !p->met)
		snprintf(p->started, sizeof p->started, "%s", field(res, STARTED));
	PQclear(res);
	return e;
}

enum err
pg_undo(struct pg *p)
{
	char errmsg[sizeof p->base.errmsg], sqlstate[sizeof p->sqlstate];

	if (PQtransactionStatus(p->conn) == PQTRANS_IDLE)
		return ERR_OK;
	memcpy(errmsg, p->base.errmsg, sizeof errmsg);
	memcpy(sqlstate, p->sqlstate, sizeof sqlstate);
	if (pg_exec(p, NULL, "ROLLBACK") != ERR_OK)
		return ERR_DOWN;
	memcpy(p->base.errmsg, errmsg, sizeof errmsg);
	memcpy(p->sqlstate, sqlstate, sizeof sqlstate);
	return ERR_OK;
}

/* --- the first of a connection ------------------------------------------------ */

enum err
pg_remember(struct pg *p)
{
	char path[1024], id[UUID_TEXT];
	enum err e;

	snprintf(path, sizeof path, "%s/database", p->state_dir);
	e = file_replace(path, uuid_text(p->database, id));
	/* a journal that has filled its volume must be emptied first, and that takes
	 * this very connection; what stands on a read-only one is to be saved */
	p->unremembered = e != ERR_OK && (errno == ENOSPC || errno == EDQUOT || errno == EROFS);
	return e == ERR_OK || p->unremembered ? ERR_OK : pg_fail(p, e, "%.300s: %s", path, strerror(errno));
}

/* The database's uuid against the one that was remembered, or remembers it. */
static enum err
check_identity(struct pg *p, const char *id)
{
	char path[1024], known[UUID_TEXT] = "";
	enum err e;

	if (!uuid_parse(id, strlen(id), &p->database))
		return pg_fail(p, ERR_SETUP, "table forebay.database does not hold its one row; type: "
		    "%spsql %s -c 'INSERT INTO forebay.database DEFAULT VALUES'", p->owner.sudo, p->owner.conninfo);
	if (snprintf(path, sizeof path, "%s/database", p->state_dir) >= (int)sizeof path)
		return pg_fail(p, ERR_INVALID, "%.200s: the name is too long", p->state_dir);
	e = file_read(path, known, sizeof known);
	if (e == ERR_OK && strcmp(known, id) != 0)
		return pg_fail(p, ERR_SETUP, "this is another database than the one this journal is loaded "
		    "into: %s is remembered, %s was found at %.200s; if that is meant, type: rm '%s'",
		    known, id, p->owner.conninfo, path);
	if (e == ERR_DOWN)
		return pg_remember(p);
	return e == ERR_OK ? ERR_OK : pg_fail(p, e, "%.300s: %s", path, strerror(errno));
}

static enum err
check_schema(struct pg *p)
{
	PGresult *res = NULL;
	long number = 0;
	enum err e = pg_query(p, &res, "SELECT to_regclass('forebay.migration'), pg_get_userbyid(datdba)"
	    " FROM pg_database WHERE datname = current_database()", NULL, 0);

	if (e != ERR_OK)
		return e;
	advice_make(&p->owner, p->conn, PQdb(p->conn), field(res, 1));
	if (*field(res, 0)) {
		PQclear(res);
		e = pg_query(p, &res, "SELECT (SELECT max(number) FROM forebay.migration),"
		    " (SELECT id FROM forebay.database)", NULL, 0);
		if (e != ERR_OK)
			return e;
		number = strtol(field(res, 0), NULL, 10);
	}
	if (number < SCHEMA_NEEDED)
		e = pg_fail(p, ERR_SETUP, "the database has schema %ld of forebay, this program needs %d; as "
		    "its owner or a superuser type: %sforebay db migrate --conninfo %s", number, SCHEMA_NEEDED,
		    p->owner.sudo, p->owner.conninfo);
	else
		e = check_identity(p, field(res, 1));
	PQclear(res);
	return e;
}

/*
 * Before any transaction: which version, and is a statement answered at all? If it is
 * and BEGIN is not, a pooler lets no transaction through.
 */
static enum err
first_begin(struct pg *p)
{
	PGresult *res = NULL;
	enum err e = pg_exec(p, &res, "SHOW server_version_num");

	if (e == ERR_OK)
		p->server_version = (int)strtol(field(res, 0), NULL, 10);
	PQclear(res);
	if (e != ERR_OK)
		return e;
	p->sqlstate[0] = '\0';
	e = pg_begin(p);
	if (e == ERR_DOWN && strcmp(p->sqlstate, "08P01") == 0)
		return pg_fail(p, ERR_SETUP, "what stands before PostgreSQL takes no transactions (08P01: %.200s); if it "
		    "is PgBouncer, set pool_mode = transaction or session for this database", p->primary);
	return e;
}

enum err
pg_meet(struct pg *p)
{
	enum err e;

	p->met = p->set_sync = false;
	p->server_version = 0;
	advice_make(&p->owner, p->conn, PQdb(p->conn), "");
	e = first_begin(p);
	if (e == ERR_OK)
		e = check_schema(p);
	/*
	 * Something is written, though it comes to nothing, so that this COMMIT waits for
	 * synchronous standbys: the progress that is read after it stands there too, also what
	 * an earlier COMMIT left in doubt.
	 */
	if (e == ERR_OK)
		e = pg_exec(p, NULL, "SAVEPOINT nothing; SELECT forebay.lock_progress('{}', ARRAY[gen_random_uuid()],"
		    " 'nothing'); ROLLBACK TO SAVEPOINT nothing");
	if (e == ERR_OK)
		e = pg_commit(p);
	p->met = e == ERR_OK;
	return e;
}
