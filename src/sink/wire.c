/*
 * Statements with deadlines, over libpq's non-blocking calls: libpq's own wait for
 * ever for a server that is frozen.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crash.h"
#include "sink/pg.h"
#include "sink/state.h"

#define STATEMENT_MS	70000	/* without an answer; the server's own time-outs come first */
#define TICK_MS		200
#define PIECE		65536	/* COPY data between two looks at the socket */

enum err
pg_fail(struct pg *p, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->base.errmsg, sizeof p->base.errmsg, fmt, ap);
	va_end(ap);
	return e;
}

enum err
pg_wait(struct pg *p, short events, int64_t deadline)
{
	struct pollfd fd = { .fd = PQsocket(p->conn), .events = events };
	int64_t left;
	int rc;

	if (fd.fd < 0)
		return pg_fail(p, ERR_DOWN, "the connection to PostgreSQL is closed");
	for (;;) {
		if (p->base.tick && p->base.tick(p->base.arg))
			return pg_fail(p, ERR_DOWN, "stopped while waiting for PostgreSQL");
		left = deadline - clock_mono_ms();
		if (left <= 0)
			return pg_fail(p, ERR_DOWN, "PostgreSQL did not answer in time to: %.40s", p->doing);
		rc = poll(&fd, 1, (int)(left < TICK_MS ? left : TICK_MS));
		if (rc > 0)
			return ERR_OK;
		if (rc < 0 && errno != EINTR)
			return pg_fail(p, ERR_IO, "poll: %s", strerror(errno));
	}
}

static enum err
lost(struct pg *p)
{
	char *nl;

	pg_fail(p, ERR_DOWN, "%s", PQerrorMessage(p->conn));
	nl = strpbrk(p->base.errmsg, "\r\n");
	if (nl)
		*nl = '\0';
	return ERR_DOWN;
}

/* For lying idle: PostgreSQL's idle_session_timeout, or a pooler's own. */
static bool
is_for_idleness(const char *state)
{
	return strcmp(state, "57P05") == 0 || strcmp(state, "08P01") == 0;
}

/* A server that goes says so, or closes the connection; both can be read. */
enum err
pg_look(struct sink *s)
{
	struct pg *p = (struct pg *)s;
	bool there;

	if (!p->conn)
		return pg_fail(p, ERR_DOWN, "the connection was given up after a batch had landed");
	there = PQconsumeInput(p->conn);
	if (there)
		(void)PQisBusy(p->conn);	/* takes what has been read apart */
	if (p->farewell)
		return is_for_idleness(p->sqlstate) ? ERR_BUSY : ERR_DOWN;
	return there && PQstatus(p->conn) == CONNECTION_OK ? ERR_OK : lost(p);
}

/* Sends what libpq still holds; reads meanwhile, so that neither side blocks the other. */
static enum err
flush(struct pg *p, int64_t deadline)
{
	enum err e;
	int rc;

	while ((rc = PQflush(p->conn)) > 0) {
		e = pg_wait(p, POLLIN | POLLOUT, deadline);
		if (e != ERR_OK)
			return e;
		if (!PQconsumeInput(p->conn))
			return lost(p);
	}
	return rc == 0 ? ERR_OK : lost(p);
}

/* Next result, NULL after the last. */
static enum err
next_result(struct pg *p, PGresult **res, int64_t deadline)
{
	enum err e;

	*res = NULL;
	while (PQisBusy(p->conn)) {
		e = pg_wait(p, POLLIN, deadline);
		if (e != ERR_OK)
			return e;
		if (!PQconsumeInput(p->conn))
			return lost(p);
	}
	*res = PQgetResult(p->conn);
	return ERR_OK;
}

/*
 * All results of what was sent; keeps the first that is an error, else the last. A
 * COPY that has begun is its last result.
 */
static enum err
results(struct pg *p, PGresult **out)
{
	int64_t deadline = clock_mono_ms() + STATEMENT_MS;
	PGresult *res = NULL, *kept = NULL;
	bool failed = false;
	enum err e = flush(p, deadline);

	while (e == ERR_OK && (e = next_result(p, &res, deadline)) == ERR_OK && res) {
		if (failed) {
			PQclear(res);
		} else {
			PQclear(kept);
			kept = res;
		}
		failed = PQresultStatus(kept) == PGRES_FATAL_ERROR;
		if (PQresultStatus(kept) == PGRES_COPY_IN)
			break;
	}
	if (e == ERR_OK && !kept)
		e = lost(p);
	if (e == ERR_DOWN && failed)	/* it has told why before it closed the connection */
		e = ERR_OK;
	if (e != ERR_OK) {
		PQclear(kept);
		kept = NULL;
	}
	*out = kept;
	return e;
}

/* How an SQLSTATE is met: it passes, or somebody has to act. What may be the row's fault
 * is known to those who load (pg_row_error). */
static enum err
state_err(const char *state)
{
	return !state[0] || state_find(state)->class == STATE_PASSES ? ERR_DOWN : ERR_SETUP;
}

/*
 * The error a result carries: SQLSTATE and what may be told of it are kept. own: lines
 * of its context that belong to the statement itself.
 */
static enum err
result_err(struct pg *p, const PGresult *res, const char *what, size_t own)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);

	snprintf(p->sqlstate, sizeof p->sqlstate, "%s", state ? state : "");
	if (!state)
		return lost(p);
	pg_words(res, p->carrying, own, p->primary, sizeof p->primary);
	if (strcmp(state, "23514") == 0 && (!constraint || !*constraint)) {
		snprintf(p->sqlstate, sizeof p->sqlstate, PG_NO_PARTITION);
		snprintf(p->primary, sizeof p->primary, "no partition of forebay.event takes the row");
	}
	pg_fail(p, ERR_OK, "%s: %s (%s)", what, p->primary, state);
	return state_err(state);
}

bool
pg_row_error(const struct pg *p)
{
	return p->sqlstate[0] && state_find(p->sqlstate)->class == STATE_ROW;
}

/* The first word or two of a statement, for messages. */
static const char *
verb(const char *sql, char out[48])
{
	size_t n = strcspn(sql, " ");

	if (sql[n] == ' ')
		n += 1 + strcspn(sql + n + 1, " ;(");
	snprintf(out, 48, "%.*s", (int)(n < 47 ? n : 47), sql);
	return out;
}

static enum err
checked(struct pg *p, const char *sql, ExecStatusType also, PGresult **out)
{
	PGresult *res = NULL;
	ExecStatusType status;
	char what[48];
	enum err e;

	p->doing = sql;
	p->sqlstate[0] = '\0';
	e = results(p, &res);
	if (out)
		*out = NULL;
	if (e != ERR_OK)
		return e;
	status = PQresultStatus(res);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != also)
		e = result_err(p, res, verb(sql, what), 0);
	if (e == ERR_OK && out)
		*out = res;
	else
		PQclear(res);
	return e;
}

enum err
pg_query(struct pg *p, PGresult **res, const char *sql, const struct param *params, int n)
{
	const char *values[16];
	int lengths[16], formats[16], i;

	CHECK(n <= 16);
	for (i = 0; i < n; i++) {
		values[i] = params[i].p;
		lengths[i] = params[i].n;
		formats[i] = params[i].binary;
	}
	if (res)
		*res = NULL;
	if (!PQsendQueryParams(p->conn, sql, n, NULL, values, lengths, formats, 0))
		return lost(p);
	return checked(p, sql, PGRES_COMMAND_OK, res);
}

enum err
pg_exec(struct pg *p, PGresult **res, const char *sql)
{
	if (res)
		*res = NULL;
	if (!PQsendQuery(p->conn, sql))
		return lost(p);
	return checked(p, sql, PGRES_COMMAND_OK, res);
}

enum err
pg_commit(struct pg *p)
{
	PGresult *res;
	enum err e;

	p->unreplicated = false;
	if (!PQsendQuery(p->conn, "COMMIT"))
		return lost(p);
	CRASH_POINT("commit-sent");
	e = checked(p, "COMMIT", PGRES_COMMAND_OK, &res);
	CRASH_POINT("commit-answered");
	if (e != ERR_OK)
		return e;
	/* COMMIT of a failed transaction succeeds with another tag (INV-13) */
	if (strcmp(PQcmdStatus(res), "COMMIT") != 0)
		e = pg_fail(p, ERR_DOWN, "COMMIT was answered with %s", PQcmdStatus(res));
	else if (p->unreplicated)	/* committed here; whether on the standby, nobody knows */
		e = ERR_DOWN;
	PQclear(res);
	return e;
}

enum err
pg_copy_begin(struct pg *p, const char *sql)
{
	if (!PQsendQuery(p->conn, sql))
		return lost(p);
	return checked(p, sql, PGRES_COPY_IN, NULL);
}

enum err
pg_copy_data(struct pg *p, const char *data, size_t n)
{
	int64_t deadline = clock_mono_ms() + STATEMENT_MS;
	size_t some;
	enum err e = ERR_OK;

	for (; e == ERR_OK && n > 0; data += some, n -= some) {
		some = n < PIECE ? n : PIECE;
		if (PQputCopyData(p->conn, data, (int)some) != 1)
			return lost(p);
		e = flush(p, deadline);
	}
	return e;
}

/* "COPY event, line 3, column payload": COPY's own line of an error's context is the last.
 * In Japanese the table comes first. NULL: it had all rows, and an AFTER trigger was called. */
static const char *
own_line(const PGresult *res)
{
	const char *s = PQresultErrorField(res, PG_DIAG_CONTEXT), *nl;

	while (s && (nl = strchr(s, '\n')))
		s = nl + 1;
	return s && strstr(s, "COPY") ? s : NULL;
}

/* The first number of that line. */
static uint64_t
number_in(const char *line)
{
	const char *s = line ? strpbrk(line, "0123456789") : NULL;

	return s ? strtoull(s, NULL, 10) : 0;
}

enum err
pg_copy_end(struct pg *p, uint64_t *count, uint64_t *row)
{
	PGresult *res = NULL;
	enum err e;

	*row = 0;
	*count = 0;
	p->doing = "COPY's end";
	p->sqlstate[0] = '\0';
	if (PQputCopyEnd(p->conn, NULL) != 1)
		return lost(p);
	e = results(p, &res);
	if (e != ERR_OK)
		return e;
	if (PQresultStatus(res) == PGRES_COMMAND_OK) {
		*count = strtoull(PQcmdTuples(res), NULL, 10);
	} else {
		*row = number_in(own_line(res));
		e = result_err(p, res, "COPY", own_line(res) != NULL);
	}
	PQclear(res);
	return e;
}
