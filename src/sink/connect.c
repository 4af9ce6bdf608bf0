/*
 * Connecting, and what must hold before the first batch: encoding, durability of
 * commits, schema, and that this is still the same database.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "sink/pg.h"
#include "sink/state.h"

#define SCHEMA_NEEDED	1	/* number of the newest file in sql/ that this code builds on */
#define SECONDS		"5"	/* connect_timeout for each host unless the connection string has one */
#define TLS_PATIENCE	3	/* failed handshakes in a row, before it is a person's */
#define SYN_RETRIES	2	/* a host that swallows packets is given up after 7 s */

/* Timeouts end what a dead or frozen client holds. Hash and merge joins would read
 * whole partitions to look up a batch; without seqscan costs look high enough to be
 * worth compiling. */
static const char session_sql[] =
	"SET search_path = pg_catalog, pg_temp;"
	"SET lock_timeout = '10s';"
	"SET statement_timeout = '60s';"
	"SET idle_in_transaction_session_timeout = '60s';"
	"SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;"
	"SET tcp_user_timeout = 60000;"
	"SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;"
	"SET jit = off;"
	"SELECT set_config('synchronous_commit',"
	" CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,"
	" false)";

static void
take_notice(void *arg, const PGresult *res)
{
	struct pg *p = arg;
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (severity && strcmp(severity, "WARNING") == 0) {
		p->warned = true;
		pg_fail(p, ERR_OK, "PostgreSQL warned: %.300s", message ? message : "?");
	}
}

enum err
pg_password(const struct conf *c, char out[PG_PASSWORD_MAX], char path[1024])
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	bool must = *c->flush_password_file;
	enum err e;

	out[0] = '\0';
	if (must)
		snprintf(path, 1024, "%s", c->flush_password_file);
	else if (!dir || snprintf(path, 1024, "%s/pgpassword", dir) >= 1024)
		return ERR_OK;
	e = file_read(path, out, PG_PASSWORD_MAX);
	return e == ERR_OK || (e == ERR_DOWN && !must) ? ERR_OK : ERR_SETUP;
}

static const char *
option(PGconn *conn, const char *name, char *out, size_t n)
{
	PQconninfoOption *all = PQconninfo(conn), *o;

	out[0] = '\0';
	for (o = all; o && o->keyword; o++)
		if (strcmp(o->keyword, name) == 0 && o->val)
			snprintf(out, n, "%s", o->val);
	PQconninfoFree(all);
	return out;
}

/* Milliseconds that all hosts together may take. */
static int64_t
patience(PGconn *conn, bool *several)
{
	char hosts[1024], seconds[32];
	int64_t n = 1, s;
	const char *c;

	option(conn, "host", hosts, sizeof hosts);
	for (c = hosts; *c; c++)
		n += *c == ',';
	*several = n > 1;
	s = strtol(option(conn, "connect_timeout", seconds, sizeof seconds), NULL, 10);
	return (s > 0 ? s : 60) * 1000 * n;
}

static enum err
poll_connection(struct pg *p, int64_t deadline)
{
	PostgresPollingStatusType st = PGRES_POLLING_WRITING;
	int retries = SYN_RETRIES;
	enum err e = ERR_OK;

	p->doing = "the connection";
	p->reached = CONNECTION_STARTED;
	while (e == ERR_OK && st != PGRES_POLLING_OK && st != PGRES_POLLING_FAILED) {
		/* fails on unix sockets, which need no such bound */
		(void)setsockopt(PQsocket(p->conn), IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof retries);
		e = pg_wait(p, st == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
		if (PQstatus(p->conn) != CONNECTION_BAD)
			p->reached = PQstatus(p->conn);
		if (e == ERR_OK)
			st = PQconnectPoll(p->conn);
	}
	return e;
}

/* Says what to type where that is known. `words` are libpq's. */
static enum err
login_advice(struct pg *p, const char *words, const char *state)
{
	const char *file = p->conf->flush_password_file;
	struct advice a;

	if (PQconnectionNeedsPassword(p->conn) || strcmp(state, "28P01") == 0)
		return pg_fail(p, ERR_SETUP, "%s; put the right password into %.300s: it is read "
		    "again at each attempt", words, *file ? file : "the file that flush.password_file names");
	if (strcmp(state, "28000") == 0) {
		advice_make(&a, p->conn, PQdb(p->conn), ADVICE_SUPERUSER);
		return pg_fail(p, ERR_SETUP, "%.400s; mend flush.conninfo or the server; if the role is missing, "
		    "type: %sforebay db migrate --conninfo %s && %spsql %s -c 'CREATE ROLE \"%.63s\" LOGIN IN ROLE "
		    "forebay_flusher'", words, a.sudo, a.conninfo, a.sudo, a.conninfo, PQuser(p->conn));
	}
	return pg_fail(p, ERR_SETUP, "%s; mend flush.conninfo or the server: it is tried again", words);
}

/* Without libpq's lines of where in its source the server stood, on one line. */
static void
one_line(const char *words, char *out, size_t n)
{
	size_t len, used = 0;

	out[0] = '\0';
	for (; *words; words += len + (words[len] == '\n')) {
		len = strcspn(words, "\n");
		if (len > 0 && strncmp(words, "LOCATION:", 9) != 0 && used < n)
			used += (size_t)snprintf(out + used, n - used, "%s%.*s", used ? "; " : "", (int)len, words);
	}
}

/* Is it a person who has to act? tried: libpq took the settings for good. A TLS handshake
 * that fails once may be a server that stops; every time, it is certificates. */
static enum err
refused(struct pg *p, bool tried)
{
	char words[600], state[6];

	one_line(PQerrorMessage(p->conn), words, sizeof words);
	state_of_login(PQerrorMessage(p->conn), state);
	p->tls_failures = !state[0] && p->reached == CONNECTION_SSL_STARTUP ? p->tls_failures + 1 : 0;
	if (!tried || PQconnectionNeedsPassword(p->conn) || p->tls_failures >= TLS_PATIENCE)
		return login_advice(p, words, state);
	if (state[0] && state_find(state)->class != STATE_PASSES)
		return login_advice(p, words, state);
	/* a startup parameter that poolers refuse, with the state that they have for all */
	if (strcmp(state, "08P01") == 0 && *option(p->conn, "options", (char[256]){ 0 }, 256))
		return pg_fail(p, ERR_SETUP, "%s; poolers take no options= in flush.conninfo", words);
	return pg_fail(p, ERR_DOWN, "%s", words);
}

static enum err
dial(struct pg *p, const char *password)
{
	const char *const names[] = { "connect_timeout", "fallback_application_name", "keepalives_idle",
		"keepalives_interval", "keepalives_count", "tcp_user_timeout", "dbname",
		"client_encoding", *password ? "password" : NULL, NULL };
	const char *const values[] = { SECONDS, "forebay-flusher", "30", "10", "3", "30000",
		p->conf->flush_conninfo, "UTF8", password, NULL };
	bool several = false;
	enum err e = ERR_OK;

	p->conn = PQconnectStartParams(names, values, 1);
	if (!p->conn)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	/* the only way to the SQLSTATE of a failed login */
	PQsetErrorVerbosity(p->conn, PQERRORS_VERBOSE);
	if (PQstatus(p->conn) != CONNECTION_BAD)
		e = poll_connection(p, clock_mono_ms() + patience(p->conn, &several));
	else if (PQpingParams(names, values, 1) == PQPING_NO_ATTEMPT)
		return refused(p, false);
	/* only libpq's own waiting goes on to the next host when one is frozen */
	if (e == ERR_DOWN && several && !(p->base.tick && p->base.tick(p->base.arg))) {
		PQreset(p->conn);
		e = ERR_OK;
	}
	if (e == ERR_OK && PQstatus(p->conn) != CONNECTION_OK)
		e = refused(p, true);
	PQsetErrorVerbosity(p->conn, PQERRORS_DEFAULT);
	return e;
}

static const char *
field(const PGresult *res, int column)
{
	return PQntuples(res) == 1 && !PQgetisnull(res, 0, column) ? PQgetvalue(res, 0, column) : "";
}

static enum err
check_session(struct pg *p)
{
	PGresult *res = NULL;
	const char *encoding = PQparameterStatus(p->conn, "server_encoding");
	const char *sync;
	enum err e;

	if (!encoding || strcmp(encoding, "UTF8") != 0)
		return pg_fail(p, ERR_SETUP, "the database's encoding is %s, it has to be UTF8; make one with: "
		    "CREATE DATABASE forebay ENCODING 'UTF8' TEMPLATE template0", encoding ? encoding : "?");
	e = pg_exec(p, session_sql);
	if (e == ERR_OK)
		e = pg_query(p, &res, "SELECT current_setting('synchronous_commit'), pg_get_userbyid(datdba)"
		    " FROM pg_database WHERE datname = current_database()", NULL, 0);
	if (e != ERR_OK)
		return e;
	sync = field(res, 0);
	if (strcmp(sync, "on") != 0 && strcmp(sync, "remote_apply") != 0)
		e = pg_fail(p, ERR_SETUP, "synchronous_commit is %s and cannot be turned on", sync);
	advice_make(&p->owner, p->conn, PQdb(p->conn), field(res, 1));
	PQclear(res);
	return e;
}

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
	enum err e = pg_query(p, &res, "SELECT to_regclass('forebay.migration')", NULL, 0);

	if (e != ERR_OK)
		return e;
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
		    "its owner or a superuser type: %sforebay db migrate --conninfo %s", number, SCHEMA_NEEDED, p->owner.sudo,
		    p->owner.conninfo);
	else
		e = check_identity(p, field(res, 1));
	PQclear(res);
	return e;
}

void
pg_disconnect(struct pg *p)
{
	PQfinish(p->conn);
	p->conn = NULL;
	pg_partitions_forget(p);
}

enum err
pg_connect(struct sink *s)
{
	struct pg *p = (struct pg *)s;
	char password[PG_PASSWORD_MAX], path[1024];
	enum err e;

	pg_disconnect(p);
	e = pg_password(p->conf, password, path);
	if (e == ERR_OK)
		e = dial(p, password);
	else
		pg_fail(p, e, "the password file %.300s cannot be read: %s", path, strerror(errno));
	explicit_bzero(password, sizeof password);
	if (e == ERR_OK && PQsetnonblocking(p->conn, 1) != 0)
		e = pg_fail(p, ERR_DOWN, "the connection cannot be made non-blocking");
	if (e == ERR_OK) {
		PQsetNoticeReceiver(p->conn, take_notice, p);
		e = check_session(p);
	}
	if (e == ERR_OK)
		e = check_schema(p);
	/*
	 * This COMMIT waits for synchronous standbys: the progress that is read after
	 * it stands there too, also what an earlier COMMIT left in doubt.
	 */
	if (e == ERR_OK)
		e = pg_exec(p, "BEGIN");
	if (e == ERR_OK)
		e = pg_exec(p, PG_STAGE_SQL);
	if (e == ERR_OK)
		e = pg_commit(p);
	if (e != ERR_OK)
		pg_disconnect(p);
	return e;
}
