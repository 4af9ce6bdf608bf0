#include "sink/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/errmsg.h"
#include "sink/ground.h"
#include "sink/pg.h"
#include "sink/sqlfile.h"

#define DENIED		"42501"			/* insufficient_privilege */
#define LOCK		"1718579813, 1"		/* "fore"; partitions take ..., 2, retention ..., 3 */

struct migration {
	PGconn *conn;
	struct sqlfile *files;
	size_t n;
	char sqlstate[6];		/* of the last refusal */
	char *errmsg;
};

static enum err
lost(struct migration *m)
{
	char *end;

	errmsg_set(m->errmsg, ERR_DOWN, "%.900s", PQerrorMessage(m->conn));
	for (end = m->errmsg + strlen(m->errmsg); end > m->errmsg && end[-1] == '\n'; end--)
		end[-1] = '\0';
	return ERR_DOWN;
}

static enum err
connect(struct migration *m, const struct conf *c, const char *conninfo)
{
	char password[PG_PASSWORD_MAX] = "", path[1024];
	const char *names[] = { "fallback_application_name", "connect_timeout", "dbname",
		"client_encoding", NULL, NULL };
	const char *values[] = { "forebay-migrate", "10", conninfo ? conninfo : c->flush_conninfo,
		"UTF8", password, NULL };
	enum err e = ERR_OK;

	if (!conninfo && pg_password(c, password, path) != ERR_OK)
		return errmsg_set(m->errmsg, ERR_SETUP, "the password file %.300s cannot be read", path);
	if (*password)
		names[4] = "password";
	m->conn = PQconnectdbParams(names, values, 1);
	if (PQstatus(m->conn) != CONNECTION_OK)
		e = ground_login(m->conn, values[2], m->errmsg);
	explicit_bzero(password, sizeof password);
	return e;
}

static enum err
refused(struct migration *m, const PGresult *res, const struct sqlfile *f)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *at = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
	size_t i, line = 1;

	snprintf(m->sqlstate, sizeof m->sqlstate, "%s", state ? state : "");
	if (!state)
		return lost(m);
	for (i = 0; f && at && i + 1 < strtoull(at, NULL, 10) && i < f->text.n; i++)
		line += f->text.p[i] == '\n';
	if (f && strcmp(state, DENIED) == 0)
		return errmsg_set(m->errmsg, ERR_SETUP, "%s: %.400s; run it as a superuser, or as the database's owner "
		    "with CREATEROLE who is a member of forebay_owner", f->name, message);
	if (strcmp(state, "55P03") == 0)
		return errmsg_set(m->errmsg, ERR_BUSY, f ? "%.400s: somebody uses what %s changes; nothing of it was done, try again"
		    : "%.400s: another migration is going on", message, f ? f->name : "");
	if (f)
		return errmsg_set(m->errmsg, ERR_INVALID, "%s:%zu: %.400s (%s)", f->name, line, message, state);
	return errmsg_set(m->errmsg, ERR_INVALID, "%.400s (%s)", message, state);
}

/* The first refusal, else the last result: of a connection that a FATAL ends, libpq's
 * last word is only that it is closed. */
static PGresult *
first_refusal(PGconn *conn, const char *sql)
{
	PGresult *res, *kept = NULL;

	if (PQsendQuery(conn, sql) != 1)
		return NULL;
	while ((res = PQgetResult(conn)) != NULL) {
		if (kept && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
			PQclear(res);
			continue;
		}
		PQclear(kept);
		kept = res;
	}
	return kept;
}

static enum err
query(struct migration *m, const struct sqlfile *f, PGresult **out, const char *sql,
      const char *const params[], int n)
{
	PGresult *res = n ? PQexecParams(m->conn, sql, n, NULL, params, NULL, NULL, 0)
	    : first_refusal(m->conn, sql);
	ExecStatusType status = PQresultStatus(res);
	enum err e = ERR_OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		e = refused(m, res, f);
	if (out && e == ERR_OK)
		*out = res;
	else
		PQclear(res);
	return e;
}

/* Nothing outlives the transaction: a pooler gives the session to others afterwards. */
static enum err
begin(struct migration *m)
{
	enum err e = query(m, NULL, NULL, "BEGIN; SET LOCAL search_path = pg_catalog, pg_temp;"
	    " SET LOCAL lock_timeout = '60s'; SET LOCAL client_min_messages = warning", NULL, 0);

	if (e != ERR_OK && strcmp(m->sqlstate, "08P01") == 0)
		return errmsg_set(m->errmsg, ERR_SETUP, "there is a pooler here that takes no transactions (statement mode): go to "
		    "PostgreSQL itself, or through a pool in transaction or session mode");
	return e;
}

static enum err
commit(struct migration *m)
{
	PGresult *res = NULL;
	enum err e = query(m, NULL, &res, "COMMIT", NULL, 0);

	if (e == ERR_OK && strcmp(PQcmdStatus(res), "COMMIT") != 0)
		e = errmsg_set(m->errmsg, ERR_DOWN, "COMMIT was answered with %s", PQcmdStatus(res));
	PQclear(res);
	return e;
}

/* Ends a transaction that has to leave nothing, whatever became of it. */
static void
rollback(struct migration *m)
{
	PQclear(PQexec(m->conn, "ROLLBACK"));
}

/*
 * The checksum under which a number was applied, "" when it was not. pg_class is read as
 * a table: to_regclass() may answer from a cache that is older than the lock that was
 * waited for.
 */
static enum err
applied(struct migration *m, const struct sqlfile *f, char out[128])
{
	PGresult *res = NULL;
	char number[16];
	enum err e;

	out[0] = '\0';
	e = query(m, NULL, &res, "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'migration'"
	    " AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'forebay'))", NULL, 0);
	if (e != ERR_OK || PQgetvalue(res, 0, 0)[0] != 't') {
		PQclear(res);
		return e;
	}
	PQclear(res);
	res = NULL;
	snprintf(number, sizeof number, "%d", f->number);
	e = query(m, NULL, &res, "SELECT checksum FROM forebay.migration WHERE number = $1::integer",
	    (const char *const[]){ number }, 1);
	if (e == ERR_OK && PQntuples(res) > 0)
		snprintf(out, 128, "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	if (e == ERR_OK && *out && strcmp(out, f->checksum) != 0)
		e = errmsg_set(m->errmsg, ERR_INVALID, "%s was changed after it had been applied: its SHA-256 is %s, "
		    "applied was %s; put the file back, changes go into a new one", f->name, f->checksum, out);
	return e;
}

/* Marks what is pending, and looks whether it could be done. */
static enum err
look(struct migration *m)
{
	char have[128];
	bool any = false;
	enum err e = ground_database(m->conn, m->errmsg);
	size_t i;

	for (i = 0; e == ERR_OK && i < m->n; i++) {
		e = applied(m, &m->files[i], have);
		m->files[i].pending = !*have;
		any |= !*have;
	}
	return e == ERR_OK && any ? ground_role(m->conn, m->files[0].pending, m->errmsg) : e;
}

static enum err
survey(struct migration *m)
{
	enum err again, e = begin(m);

	if (e == ERR_OK)
		e = look(m);
	rollback(m);
	if (e == ERR_OK || strcmp(m->sqlstate, DENIED) != 0)
		return e;
	/* it may not even read what was applied: what to do about that it says better */
	again = begin(m);
	if (again == ERR_OK)
		again = ground_role(m->conn, false, m->errmsg);
	rollback(m);
	return again == ERR_OK ? e : again;
}

/* Under the lock, where somebody else may have done it meanwhile: then *done stays false. */
static enum err
apply_locked(struct migration *m, const struct sqlfile *f, bool *done)
{
	char number[16], have[128] = "";
	enum err e = query(m, NULL, NULL, "SELECT pg_advisory_xact_lock(" LOCK ")", NULL, 0);

	if (e == ERR_OK)
		e = applied(m, f, have);
	if (e != ERR_OK || *have)
		return e;
	snprintf(number, sizeof number, "%d", f->number);
	e = query(m, f, NULL, f->text.p, NULL, 0);
	if (e == ERR_OK)
		e = query(m, NULL, NULL, "INSERT INTO forebay.migration (number, name, checksum)"
		    " VALUES ($1::integer, $2, $3)", (const char *const[]){ number, f->name, f->checksum }, 3);
	*done = e == ERR_OK;
	return e;
}

static enum err
apply(struct migration *m, const struct sqlfile *f, bool *done)
{
	enum err e = begin(m);

	if (e == ERR_OK)
		e = apply_locked(m, f, done);
	if (e == ERR_OK)
		e = commit(m);
	else
		rollback(m);
	return e;
}

static enum err
each(struct migration *m, bool dry_run, schema_report *report, void *arg)
{
	enum err e = ERR_OK;
	bool done;
	size_t i;

	for (i = 0; e == ERR_OK && i < m->n; i++) {
		done = false;
		if (m->files[i].pending && !dry_run)
			e = apply(m, &m->files[i], &done);
		if (e == ERR_OK)
			report(arg, m->files[i].name, done ? SCHEMA_APPLIED :
			    m->files[i].pending && dry_run ? SCHEMA_PENDING : SCHEMA_PRESENT);
	}
	return e;
}

enum err
schema_migrate(const struct conf *c, const char *conninfo, const char *dir, bool dry_run,
	       schema_report *report, void *arg, char errmsg[1024])
{
	struct migration m = { .errmsg = errmsg };
	enum err e;

	errmsg[0] = '\0';
	e = sqlfiles_read(&m.files, &m.n, dir, errmsg);
	if (e == ERR_OK)
		e = connect(&m, c, conninfo);
	if (e == ERR_OK)
		e = survey(&m);
	if (e == ERR_OK)
		e = each(&m, dry_run, report, arg);
	PQfinish(m.conn);
	sqlfiles_free(&m.files, m.n);
	return e;
}

enum err
schema_retention(const struct conf *c, const char *conninfo, int64_t ms, char errmsg[1024])
{
	struct migration m = { .errmsg = errmsg };
	char seconds[32];
	enum err e;

	errmsg[0] = '\0';
	snprintf(seconds, sizeof seconds, "%lld.%03lld s", (long long)(ms / 1000), (long long)(ms % 1000));
	e = connect(&m, c, conninfo);
	if (e == ERR_OK)
		e = begin(&m);
	if (e == ERR_OK)
		e = query(&m, NULL, NULL, "SET LOCAL ROLE forebay_owner", NULL, 0);
	if (e == ERR_OK)
		e = query(&m, NULL, NULL, "UPDATE forebay.retention SET events = nullif($1::interval, '0')",
		    (const char *const[]){ seconds }, 1);
	if (e == ERR_OK)
		e = commit(&m);
	PQfinish(m.conn);
	return e;
}
