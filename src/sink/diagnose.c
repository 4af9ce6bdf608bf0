/*
 * What to type, by facts: an error says what went wrong, not whose it is. A right that
 * is missing may be one on forebay's tables, or on something that a trigger, default or
 * event trigger of the database's owner uses; so the catalog is asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/pg.h"
#include "sink/state.h"

#define GRANT_WITH_INHERIT	160000	/* PostgreSQL 16: a membership's, not the role's */

/* The first fact that explains an error: its kind and a detail. */
static const char facts_sql[] =
    "WITH want(name, privilege) AS (VALUES ('event', 'INSERT'), ('progress', 'SELECT'),"
    " ('quarantine', 'INSERT'), ('rejection', 'INSERT'), ('migration', 'SELECT'),"
    " ('database', 'SELECT')),"
    " calls(name) AS (VALUES ('make_partitions'), ('make_partitions_ahead'), ('expire'), ('expire_rejections'),"
    " ('differing'), ('lock_progress'), ('advance')),"
    " cols(name) AS (SELECT unnest('{received_at,fingerprint,key,source,id,type,subject,time,payload,context,"
    "segment,seq}'::name[])),"
    " tables AS (SELECT w.*, c.oid FROM want w LEFT JOIN pg_namespace n ON n.nspname = 'forebay'"
    " LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name),"
    " functions AS (SELECT w.*, p.oid FROM calls w LEFT JOIN pg_namespace n ON n.nspname = 'forebay'"
    " LEFT JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = w.name),"
    " denied AS (SELECT privilege || ' ON forebay.' || name AS what FROM tables"
    " WHERE NOT has_table_privilege(oid, privilege) UNION ALL SELECT 'EXECUTE ON FUNCTION forebay.' || name"
    " FROM functions WHERE NOT has_function_privilege(oid, 'EXECUTE') UNION ALL SELECT 'USAGE ON SCHEMA forebay'"
    " FROM pg_namespace WHERE nspname = 'forebay' AND NOT has_schema_privilege(oid, 'USAGE')),"
    " event AS (SELECT oid FROM tables WHERE name = 'event'),"
    " days AS (SELECT c.oid, relname, to_date(substr(relname, 7), 'YYYYMMDD') AS day FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'forebay' AND relname ~ '^event_[0-9]{8}$'"
    " AND relkind = 'r'),"
    " yours AS (SELECT format('trigger %s on %s', tgname, relname) AS what FROM pg_trigger"
    " JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'forebay'"
    " AND NOT tgisinternal AND tgparentid = 0 AND tgenabled <> 'D'"
    " UNION ALL SELECT format('event trigger %s', evtname) FROM pg_event_trigger WHERE evtenabled <> 'D'"
    " UNION ALL SELECT format('column %s of event', attname) FROM pg_attribute, event WHERE attrelid = event.oid"
    " AND attnum > 0 AND NOT attisdropped AND attname NOT IN (SELECT name FROM cols))"
    " SELECT kind, left(detail, 250) FROM ("
    " SELECT 1, 'migrate', string_agg(DISTINCT name, ', ') FROM (SELECT name FROM tables WHERE oid IS NULL"
    " UNION ALL SELECT name FROM functions WHERE oid IS NULL) x"
    " UNION ALL SELECT 2, 'column', string_agg(name, ', ') FROM cols WHERE name NOT IN"
    " (SELECT attname FROM pg_attribute, event WHERE attrelid = event.oid AND NOT attisdropped)"
    " UNION ALL SELECT 3, CASE WHEN NOT pg_has_role(r.oid, 'MEMBER') THEN 'grant'"
    " WHEN NOT pg_has_role(r.oid, 'USAGE') THEN 'inherit' ELSE 'revoked' END,"
    " (SELECT string_agg(what, ', ') FROM denied) FROM pg_roles r WHERE rolname = 'forebay_flusher'"
    " UNION ALL SELECT 4, 'rls', string_agg(DISTINCT name, ', ') FROM tables WHERE row_security_active(oid)"
    " UNION ALL SELECT 5, 'finalize', min(format('ALTER TABLE forebay.event DETACH PARTITION forebay.%I FINALIZE',"
    " relname)) FROM days JOIN pg_inherits ON inhrelid = days.oid WHERE inhdetachpending"
    " UNION ALL SELECT 6, 'attach', min(format('ALTER TABLE forebay.event ATTACH PARTITION forebay.%I FOR VALUES"
    " FROM ($$%s 00:00:00+00$$) TO ($$%s 00:00:00+00$$)', relname, day, day + 1)) FROM days"
    " WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = days.oid)"
    " UNION ALL SELECT 9, 'yours', (SELECT coalesce(string_agg(what, ', '), '') FROM yours)"
    ") f(rank, kind, detail) WHERE detail IS NOT NULL AND (kind NOT IN ('attach', 'finalize') OR $1) ORDER BY rank LIMIT 1";

static void
say(const struct pg *p, const char *kind, const char *detail, char *out, size_t n)
{
	const char *sudo = p->owner.sudo, *to = p->owner.conninfo, *role = PQuser(p->conn);

	if (strcmp(kind, "migrate") == 0)
		snprintf(out, n, "; of forebay's own is missing: %s; type: %sforebay db migrate --conninfo %s", detail, sudo, to);
	else if (strcmp(kind, "column") == 0)
		snprintf(out, n, "; forebay.event was changed by hand, it lacks %s: undo that", detail);
	else if (strcmp(kind, "inherit") == 0 && PQserverVersion(p->conn) >= GRANT_WITH_INHERIT)
		snprintf(out, n, "; the role does not inherit its rights; as the owner type: %spsql %s -c 'GRANT "
		    "forebay_flusher TO \"%s\" WITH INHERIT TRUE'", sudo, to, role);
	else if (strcmp(kind, "inherit") == 0)
		snprintf(out, n, "; the role does not inherit its rights; as the owner type: %spsql %s -c 'ALTER ROLE "
		    "\"%s\" INHERIT'", sudo, to, role);
	else if (strcmp(kind, "grant") == 0)
		snprintf(out, n, "; as its owner type: %spsql %s -c 'GRANT forebay_flusher TO \"%s\"'", sudo, to, role);
	else if (strcmp(kind, "revoked") == 0)
		snprintf(out, n, "; role forebay_flusher was deprived of rights, GRANT them to it: %s", detail);
	else if (strcmp(kind, "rls") == 0)
		snprintf(out, n, "; row level security is on for %s; as a superuser type: %spsql %s -c 'ALTER ROLE "
		    "\"%s\" BYPASSRLS'", detail, sudo, to, role);
	else if (strcmp(kind, "finalize") == 0 || strcmp(kind, "attach") == 0)
		snprintf(out, n, "; as its owner type: %spsql %s -c '%s'", sudo, to, detail);
	else
		snprintf(out, n, "; all that is forebay's is there and allowed, so it is something of your own%s%s; "
		    "triggers run with search_path = pg_catalog, pg_temp", *detail ? ": " : "", detail);
}

/* Whether tables, rights or what hangs on them can explain it. */
static bool
explicable(const char *state)
{
	static const char *const classes[] = { "0A", "3F", "42", "55", PG_NO_PARTITION };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(classes); i++)
		if (strncmp(state, classes[i], strlen(classes[i])) == 0)
			return true;
	return *state && strcmp(state, PG_NO_PARTITION) != 0 && state_find(state)->class == STATE_ROW;
}

void
pg_diagnose(struct pg *p)
{
	char errmsg[sizeof p->base.errmsg], state[sizeof p->sqlstate];
	PGresult *res = NULL;
	bool partitions = strcmp(p->sqlstate, PG_NO_PARTITION) == 0 || strncmp(p->sqlstate, "55", 2) == 0;
	size_t used;

	memcpy(errmsg, p->base.errmsg, sizeof errmsg);
	memcpy(state, p->sqlstate, sizeof state);
	used = strlen(errmsg);
	if (strcmp(state, "53100") == 0)
		snprintf(errmsg + used, sizeof errmsg - used, "; make room on PostgreSQL's volume");
	if (p->conn && explicable(state) && (PQtransactionStatus(p->conn) == PQTRANS_IDLE ||
	    pg_query(p, NULL, "ROLLBACK", NULL, 0) == ERR_OK) &&
	    pg_query(p, &res, facts_sql, &(struct param){ partitions ? "t" : "f", 0, false }, 1) == ERR_OK &&
	    PQntuples(res) == 1)
		say(p, PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1), errmsg + used, sizeof errmsg - used);
	PQclear(res);
	memcpy(p->base.errmsg, errmsg, sizeof errmsg);
	memcpy(p->sqlstate, state, sizeof state);
}

enum err
pg_kept_out_by(struct pg *p, char *out, size_t n)
{
	PGresult *res = NULL;
	enum err e = pg_query(p, &res, "SELECT left(string_agg(what, ', '), 200) FROM ("
	    "SELECT format('trigger %s on forebay.event', tgname) FROM pg_trigger"
	    " WHERE tgrelid = 'forebay.event'::regclass AND NOT tgisinternal AND tgenabled <> 'D'"
	    " AND tgtype & 7 = 7"		/* ROW, BEFORE, INSERT: it may return NULL */
	    " UNION ALL SELECT DISTINCT format('unique index on %s', pg_get_indexdef(indexrelid, 1, true)) FROM pg_index"
	    " JOIN pg_inherits ON inhrelid = indrelid WHERE inhparent = 'forebay.event'::regclass AND indisunique"
	    " AND (indnkeyatts > 1 OR pg_get_indexdef(indexrelid, 1, true) <> 'fingerprint')) x(what)", NULL, 0);

	if (e == ERR_OK)
		snprintf(out, n, "%s", PQgetisnull(res, 0, 0) ? "something of your own" : PQgetvalue(res, 0, 0));
	PQclear(res);
	return e;
}
