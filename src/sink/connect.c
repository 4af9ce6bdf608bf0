/*
 * Connecting. What must hold before the first batch and in each transaction is
 * looked at in session.c.
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
#include "sink/conninfo.h"
#include "sink/pg.h"
#include "sink/state.h"

#define SECONDS		"5"	/* connect_timeout for each host unless the connection string has one */
#define TLS_PATIENCE	3	/* failed handshakes in a row, before it is a person's */
#define SYN_RETRIES	2	/* a host that swallows packets is given up after 7 s */

/*
 * What the server says beside its answers. Decided by names of its own source, which
 * no language changes: SyncRepWaitForLSN warns that a commit may stand on this server
 * alone; all other warnings, of a trigger for instance, are somebody else's. An error
 * that comes while nothing was asked is a farewell.
 */
static bool
is_error(const PGresult *res)
{
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (!severity)		/* of a pooler, which speaks no other language */
		severity = PQresultErrorField(res, PG_DIAG_SEVERITY);
	return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "ERROR") == 0 ||
	    strcmp(severity, "PANIC") == 0);
}

static void
take_notice(void *arg, const PGresult *res)
{
	struct pg *p = arg;
	const char *function = PQresultErrorField(res, PG_DIAG_SOURCE_FUNCTION);
	const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (is_error(res)) {
		p->farewell = true;
		snprintf(p->sqlstate, sizeof p->sqlstate, "%s", state ? state : "");
		pg_fail(p, ERR_OK, "%.300s", message ? message : "?");
	} else if (function && strcmp(function, "SyncRepWaitForLSN") == 0) {
		p->unreplicated = true;
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

	one_line(conninfo_words(p->conf->flush_conninfo, PQerrorMessage(p->conn)), words, sizeof words);
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

void
pg_disconnect(struct pg *p)
{
	PQfinish(p->conn);
	p->conn = NULL;
	p->farewell = false;
	pg_partitions_forget(p);
}

enum err
pg_connect(struct sink *s)
{
	struct pg *p = (struct pg *)s;
	char password[PG_PASSWORD_MAX], path[1024];
	enum err e;

	pg_disconnect(p);
	p->sqlstate[0] = '\0';
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
		e = pg_meet(p);
	}
	if (e == ERR_SETUP)
		pg_diagnose(p);
	if (e != ERR_OK)
		pg_disconnect(p);
	return e;
}
