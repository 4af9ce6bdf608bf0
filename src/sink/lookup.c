#include "sink/lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/conninfo.h"
#include "sink/pg.h"

#define COLUMNS_MAX	16

struct lookup {
	PGconn *conn;
	int limit_ms;
	bool frozen;		/* one transaction to the end, else one for each question */
	char errmsg[1024];
};

#define UTC(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
/* from the day before to the end of the day: a bound by which partitions are left out */
#define DAYS(since, until) "received_at >= date_trunc('day', " since "::timestamptz) - interval '1 day'" \
	" AND received_at < date_trunc('day', " until "::timestamptz) + interval '1 day'"
#define PARTITIONS "FROM pg_inherits i WHERE i.inhparent = 'forebay.event'::regclass"
/* no valid unique index on fingerprint alone */
#define UNGUARDED "NOT EXISTS (SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = x.indrelid" \
	" AND a.attname = 'fingerprint' WHERE x.indrelid = i.inhrelid AND x.indisunique AND x.indisvalid" \
	" AND x.indpred IS NULL AND x.indnkeyatts = 1 AND x.indkey[0] = a.attnum)"

static const struct question { int params; const char *sql; } questions[LOOKUP_COUNT] = {
	[LOOKUP_PROGRESS] = { 1, "SELECT node, last_seq, loaded, duplicates, quarantined, rejected, "
	    UTC("updated_at") " FROM forebay.progress WHERE segment = $1" },
	[LOOKUP_REFUSED] = { 3, "SELECT 'quarantined', seq, " UTC("quarantined_at")
	    ", concat_ws(' ', reason, sqlstate), message FROM forebay.quarantine"
	    " WHERE segment = $1 AND seq BETWEEN $2 AND $3"
	    " UNION ALL SELECT 'rejected', seq, " UTC("received_at") ", reason, NULL FROM forebay.rejection"
	    " WHERE segment = $1 AND seq BETWEEN $2 AND $3" },
	[LOOKUP_FINGERPRINTS] = { 3, "SELECT fingerprint, segment, seq, " UTC("received_at")
	    " FROM forebay.event WHERE fingerprint = ANY ($1::uuid[])"
	    " AND " DAYS("$2", "$3") },
	[LOOKUP_SEQS] = { 5, "SELECT seq, " UTC("received_at") " FROM forebay.event"
	    " WHERE segment = $1 AND seq BETWEEN $2 AND $3"
	    " AND " DAYS("$4", "$5") },
	[LOOKUP_ID] = { 3, "SELECT 'loaded', segment, seq, " UTC("received_at") ", NULL, NULL"
	    " FROM forebay.event WHERE id = $1"
	    " AND " DAYS("$2", "$3") " UNION ALL SELECT 'quarantined', segment, seq, " UTC("quarantined_at")
	    ", concat_ws(' ', reason, sqlstate), message FROM forebay.quarantine WHERE id = $1"
	    " UNION ALL SELECT 'rejected', segment, seq, " UTC("received_at") ", reason, NULL"
	    " FROM forebay.rejection WHERE id = $1 LIMIT 1000" },
	[LOOKUP_OLDEST] = { 0, "SELECT " UTC("min(to_date(substring(c.relname FROM '[0-9]{8}$'), 'YYYYMMDD')"
	    "::timestamptz)") ", (SELECT " UTC("min(received_at)") " FROM forebay.rejection) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
	    " WHERE i.inhparent = 'forebay.event'::regclass" },
	[LOOKUP_BOOKS] = { 0, "SELECT segment, p.node, p.last_seq, p.loaded, p.duplicates, p.quarantined,"
	    " p.rejected, coalesce(e.n, 0), coalesce(e.d, 0), coalesce(e.both, 0), e.lo, e.hi,"
	    " coalesce(q.n, 0), coalesce(r.n, 0), " UTC("e.at") " FROM forebay.progress p"
	    " FULL JOIN (SELECT segment, count(*) n, count(DISTINCT seq) d, count(k.one) both,"
	    " min(seq) lo, max(seq) hi, min(received_at) at FROM forebay.event LEFT JOIN"
	    " (SELECT segment, seq, 1 one FROM forebay.quarantine UNION ALL"
	    " SELECT segment, seq, 1 FROM forebay.rejection) k USING (segment, seq)"
	    " GROUP BY segment) e USING (segment)"
	    " FULL JOIN (SELECT segment, count(*) n FROM forebay.quarantine GROUP BY segment) q USING (segment)"
	    " FULL JOIN (SELECT segment, count(*) n FROM forebay.rejection GROUP BY segment) r USING (segment)"
	    " ORDER BY segment" },
	[LOOKUP_GAPS] = { 2, "SELECT s FROM generate_series(1, $2::bigint) s"
	    " EXCEPT SELECT seq FROM forebay.event WHERE segment = $1"
	    " EXCEPT SELECT seq FROM forebay.quarantine WHERE segment = $1"
	    " EXCEPT SELECT seq FROM forebay.rejection WHERE segment = $1 ORDER BY 1 LIMIT 100000" },
	[LOOKUP_DOUBLES] = { 1, "SELECT seq, count(*) FROM (SELECT seq FROM forebay.event WHERE segment = $1"
	    " UNION ALL SELECT seq FROM forebay.quarantine WHERE segment = $1"
	    " UNION ALL SELECT seq FROM forebay.rejection WHERE segment = $1) x"
	    " GROUP BY seq HAVING count(*) > 1 ORDER BY seq" },
	[LOOKUP_ALIENS] = { 2, "SELECT seq FROM forebay.event WHERE segment = $1"
	    " AND NOT seq BETWEEN 1 AND $2::bigint ORDER BY seq" },
	[LOOKUP_DIFFERS] = { 4, "SELECT forebay.differing(ARRAY[$1::uuid], ARRAY[$2::jsonb],"
	    " date_trunc('day', $3::timestamptz) - interval '1 day',"
	    " date_trunc('day', $4::timestamptz) + interval '1 day')" },
	[LOOKUP_UNGUARDED] = { 0, "SELECT i.inhrelid::regclass " PARTITIONS " AND " UNGUARDED " ORDER BY 1" },
	[LOOKUP_TWINS] = { 0, "SELECT tableoid::regclass, fingerprint,"
	    " string_agg(segment || ':' || seq, ' ' ORDER BY segment, seq) FROM forebay.event"
	    " WHERE tableoid IN (SELECT i.inhrelid " PARTITIONS " AND " UNGUARDED ")"
	    " GROUP BY tableoid, fingerprint HAVING count(*) > 1 ORDER BY 1, 2" },
};

/* Keeps the first line of the server's or libpq's words. */
static enum err
fail(struct lookup *l, enum err e, const char *text)
{
	snprintf(l->errmsg, sizeof l->errmsg, "%.1000s", text);
	l->errmsg[strcspn(l->errmsg, "\r\n")] = '\0';
	return e;
}

static enum err
refused(struct lookup *l, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (!state || !message)
		return fail(l, ERR_DOWN, PQerrorMessage(l->conn));
	fail(l, ERR_OK, message);
	if (strcmp(state, "57014") == 0)
		return ERR_BUSY;
	return strncmp(state, "57", 2) == 0 || strncmp(state, "08", 2) == 0 ? ERR_DOWN : ERR_SETUP;
}

static enum err
exec(struct lookup *l, const char *sql)
{
	PGresult *res = PQexec(l->conn, sql);
	ExecStatusType status = PQresultStatus(res);
	enum err e = ERR_OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		e = refused(l, res);
	PQclear(res);
	return e;
}

static enum err
connect(struct lookup *l, const struct conf *c, const char *conninfo)
{
	char password[PG_PASSWORD_MAX] = "", path[1024];
	const char *names[] = { "fallback_application_name", "connect_timeout", "dbname",
		"client_encoding", NULL, NULL };
	const char *values[] = { "forebay", "10", conninfo ? conninfo : c->flush_conninfo,
		"UTF8", password, NULL };

	if (!conninfo && pg_password(c, password, path) != ERR_OK)
		return fail(l, ERR_SETUP, "the password file cannot be read; see flush.password_file");
	if (*password)
		names[4] = "password";
	l->conn = PQconnectdbParams(names, values, 1);
	explicit_bzero(password, sizeof password);
	return PQstatus(l->conn) == CONNECTION_OK ? ERR_OK :
	    fail(l, ERR_DOWN, conninfo_words(values[2], PQerrorMessage(l->conn)));
}

/* Settings are the transaction's: behind a pooler others use the session, too. */
static enum err
begin(struct lookup *l, const char *isolation)
{
	char sql[512];

	snprintf(sql, sizeof sql, "BEGIN ISOLATION LEVEL %s READ ONLY; SET LOCAL statement_timeout = %d;"
	    "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL timezone = 'UTC';"
	    "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off; SET LOCAL client_encoding = 'UTF8';"
	    "SET LOCAL client_connection_check_interval = '2s'", isolation, l->limit_ms);
	return exec(l, sql);
}

enum err
lookup_open(struct lookup **out, const struct conf *c, const char *conninfo, int limit_ms,
	    char errmsg[1024])
{
	struct lookup *l = calloc(1, sizeof *l);
	enum err e;

	*out = NULL;
	snprintf(errmsg, 1024, "out of memory");
	if (!l)
		return ERR_NOMEM;
	l->limit_ms = limit_ms;
	e = connect(l, c, conninfo);
	if (e != ERR_OK) {
		memcpy(errmsg, l->errmsg, sizeof l->errmsg);
		lookup_close(&l);
	}
	*out = l;
	return e;
}

void
lookup_close(struct lookup **lp)
{
	if (*lp)
		PQfinish((*lp)->conn);
	free(*lp);
	*lp = NULL;
}

enum err
lookup_freeze(struct lookup *l)
{
	l->frozen = true;
	return begin(l, "REPEATABLE READ");
}

static bool
give(const PGresult *res, lookup_row *each, void *arg)
{
	const char *v[COLUMNS_MAX] = { NULL };
	int i;

	for (i = 0; i < PQnfields(res) && i < COLUMNS_MAX; i++)
		if (!PQgetisnull(res, 0, i))
			v[i] = PQgetvalue(res, 0, i);
	return each(arg, v);
}

static enum err
ask(struct lookup *l, enum lookup_question q, const char *const params[], lookup_row *each, void *arg)
{
	PGresult *res;
	enum err e = ERR_OK;
	bool more = true;

	if (!PQsendQueryParams(l->conn, questions[q].sql, questions[q].params, NULL, params, NULL, NULL, 0))
		return fail(l, ERR_DOWN, PQerrorMessage(l->conn));
	PQsetSingleRowMode(l->conn);	/* no answer is held in memory */
	while ((res = PQgetResult(l->conn))) {
		if (PQresultStatus(res) == PGRES_SINGLE_TUPLE)
			more = more && give(res, each, arg);
		else if (PQresultStatus(res) != PGRES_TUPLES_OK && e == ERR_OK)
			e = refused(l, res);
		PQclear(res);
	}
	return e;
}

enum err
lookup_ask(struct lookup *l, enum lookup_question q, const char *const params[], lookup_row *each,
	   void *arg)
{
	enum err e;

	if (l->frozen)
		return ask(l, q, params, each, arg);
	e = begin(l, "READ COMMITTED");
	if (e != ERR_OK)
		return e;
	e = ask(l, q, params, each, arg);
	if (e != ERR_OK) {		/* its words are the ones that count */
		PQclear(PQexec(l->conn, "ROLLBACK"));
		return e;
	}
	return exec(l, "COMMIT");
}

const char *
lookup_errmsg(const struct lookup *l)
{
	return l->errmsg;
}
