#include "sink/ground.h"

#include <stdio.h>
#include <string.h>

#include "sink/advice.h"
#include "sink/conninfo.h"
#include "sink/errmsg.h"
#include "sink/state.h"

#define SET_16	160000		/* from here on membership, its use and SET ROLE are three rights */

/* One row, or NULL with the server's words. */
static PGresult *
ask(PGconn *conn, const char *sql, char errmsg[ERRMSG])
{
	PGresult *res = PQexec(conn, sql);

	if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1)
		return res;
	snprintf(errmsg, ERRMSG, "%.1000s", PQerrorMessage(conn));
	errmsg[strcspn(errmsg, "\n")] = '\0';
	PQclear(res);
	return NULL;
}

static bool
is_true(const PGresult *res, int column)
{
	return PQgetvalue(res, 0, column)[0] == 't';
}

/* --- the database --------------------------------------------------------------- */

enum place { RECOVERY, READ_ONLY, ENCODING, TEMPLATE, SUPERUSER, STRANGER };
static const char place_sql[] =
	"SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',"
	" current_setting('server_encoding'), datistemplate,"
	" (SELECT rolname FROM pg_roles WHERE rolsuper ORDER BY oid LIMIT 1),"
	" EXISTS (SELECT FROM pg_namespace n WHERE nspname = 'forebay' AND NOT EXISTS (SELECT FROM pg_class"
	"  WHERE relnamespace = n.oid AND relname = 'migration'))"
	" FROM pg_database WHERE datname = current_database()";

static enum err
judge_place(PGconn *conn, const PGresult *res, char errmsg[ERRMSG])
{
	const char *encoding = PQgetvalue(res, 0, ENCODING), *db = PQdb(conn);
	struct advice a;

	advice_make(&a, conn, db, PQgetvalue(res, 0, SUPERUSER));
	if (is_true(res, RECOVERY))
		return errmsg_set(errmsg, ERR_SETUP, "this server is a standby, which takes no changes: connect to the "
		    "primary, or name all servers and add target_session_attrs=read-write");
	if (is_true(res, READ_ONLY))
		return errmsg_set(errmsg, ERR_SETUP, "this server allows no writing (default_transaction_read_only is "
		    "on, as some providers set it when a volume is full)");
	if (strcmp(encoding, "UTF8") != 0)
		return errmsg_set(errmsg, ERR_SETUP, "the encoding of database \"%s\" is %s, it has to be UTF8: no event "
		    "would ever be loaded into it. Make another, for example: %screatedb %s -E UTF8 -T template0 "
		    "--locale=C.UTF-8 NAME", db, encoding, a.sudo, a.server);
	if (is_true(res, TEMPLATE))
		return errmsg_set(errmsg, ERR_SETUP, "\"%s\" is a template: each new database would be a copy of this one. "
		    "Make one of its own, for example: %screatedb %s forebay", db, a.sudo, a.server);
	if (is_true(res, STRANGER))
		return errmsg_set(errmsg, ERR_SETUP, "database \"%s\" has a schema \"forebay\" that is none of ours: it has "
		    "no table \"migration\". Give that one another name, for example: %spsql %s -c "
		    "'ALTER SCHEMA forebay RENAME TO forebay_old'", db, a.sudo, a.conninfo);
	return ERR_OK;
}

enum err
ground_database(PGconn *conn, char errmsg[ERRMSG])
{
	int version = PQserverVersion(conn);
	PGresult *res;
	enum err e;

	if (version < GROUND_LEAST * 10000)
		return errmsg_set(errmsg, ERR_SETUP, "this server is PostgreSQL %d, the least that will do is %d",
		    version / 10000, GROUND_LEAST);
	res = ask(conn, place_sql, errmsg);
	if (!res)
		return ERR_DOWN;
	e = judge_place(conn, res, errmsg);
	PQclear(res);
	return e;
}

/* --- the role --------------------------------------------------------------------- */

/* FREE: nobody has made forebay_owner yet. ACTS: may take its place. ADMIN: may grant it. */
enum role { SUPER, CREATOR, MAKES_SCHEMA, FREE, ACTS, ADMIN, HELPER, OWNER, ME };
static const char role_sql[] =
	"SELECT me.rolsuper, me.rolcreaterole, has_database_privilege(current_database(), 'CREATE'),"
	" o.oid IS NULL, coalesce(pg_has_role(o.oid, 'USAGE') AND pg_has_role(o.oid, '%s'), false),"
	" coalesce(pg_has_role(o.oid, 'MEMBER WITH ADMIN OPTION'), false),"
	" coalesce((SELECT pg_get_userbyid(member) FROM pg_auth_members"
	"  WHERE roleid = o.oid AND admin_option ORDER BY member LIMIT 1),"
	"  (SELECT rolname FROM pg_roles WHERE rolsuper ORDER BY oid LIMIT 1)),"
	" (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()),"
	" current_user FROM pg_roles me LEFT JOIN pg_roles o ON o.rolname = 'forebay_owner'"
	" WHERE me.rolname = current_user";

static bool
grants_itself(PGconn *conn, const PGresult *res)
{
	if (is_true(res, FREE))
		return is_true(res, CREATOR);
	return is_true(res, ADMIN) || (PQserverVersion(conn) < SET_16 && is_true(res, CREATOR));
}

static enum err
judge_role(PGconn *conn, const PGresult *res, bool first, char errmsg[ERRMSG])
{
	const char *me = PQgetvalue(res, 0, ME), *db = PQdb(conn);
	struct advice helper, owner;

	advice_make(&helper, conn, db, PQgetvalue(res, 0, HELPER));
	advice_make(&owner, conn, db, PQgetvalue(res, 0, OWNER));
	if (is_true(res, SUPER))
		return ERR_OK;
	if (first && !is_true(res, MAKES_SCHEMA))
		return errmsg_set(errmsg, ERR_SETUP, "role \"%s\" may not make a schema in database \"%s\": run this as a "
		    "superuser, or as the database's owner with CREATEROLE: %sforebay db migrate --conninfo %s", me, db,
		    owner.sudo, owner.conninfo);
	if (is_true(res, ACTS) || (first && grants_itself(conn, res)))
		return ERR_OK;
	if (is_true(res, FREE))
		return errmsg_set(errmsg, ERR_SETUP, "role \"%s\" may not create the roles forebay_owner and "
		    "forebay_flusher; as a superuser type: %spsql %s -c 'ALTER ROLE \"%s\" CREATEROLE'", me,
		    helper.sudo, helper.conninfo, me);
	return errmsg_set(errmsg, ERR_SETUP, "the roles forebay_owner and forebay_flusher, which serve all databases of this "
	    "server, are not role \"%s\"'s to use or to grant. As a superuser, or as who may grant them, "
	    "type: %spsql %s -c 'GRANT forebay_owner TO \"%s\"%s' -c 'GRANT forebay_flusher TO \"%s\" WITH ADMIN OPTION'",
	    me, helper.sudo, helper.conninfo, me, PQserverVersion(conn) < SET_16 ? "" : " WITH INHERIT TRUE, SET TRUE", me);
}

enum err
ground_role(PGconn *conn, bool first, char errmsg[ERRMSG])
{
	char sql[sizeof role_sql + 16];
	PGresult *res;
	enum err e;

	snprintf(sql, sizeof sql, role_sql, PQserverVersion(conn) < SET_16 ? "MEMBER" : "SET");
	res = ask(conn, sql, errmsg);
	if (!res)
		return ERR_DOWN;
	e = judge_role(conn, res, first, errmsg);
	PQclear(res);
	return e;
}

/* --- no connection ------------------------------------------------------------------ */

enum err
ground_login(PGconn *conn, const char *conninfo, char errmsg[ERRMSG])
{
	const char *db = PQdb(conn) ? PQdb(conn) : "", *told = conninfo_words(conninfo, PQerrorMessage(conn));
	char words[600], state[6];
	struct advice a, server;

	snprintf(words, sizeof words, "%.*s", (int)strcspn(told, "\n"), told);
	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	PQreset(conn);
	state_of_login(PQerrorMessage(conn), state);
	PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	if (PQstatus(conn) == CONNECTION_OK)
		return ERR_OK;
	advice_make(&a, conn, db, "OWNER");
	advice_make(&server, conn, "", ADVICE_SUPERUSER);
	if (PQconnectionNeedsPassword(conn) || strcmp(state, "28P01") == 0)
		return errmsg_set(errmsg, ERR_SETUP, "%s; the password comes from ~/.pgpass or PGPASSWORD. In --conninfo "
		    "everybody on this machine could read it", words);
	if (strncmp(state, "28", 2) == 0)
		return errmsg_set(errmsg, ERR_SETUP, "%s; come as the database's owner or as a superuser, for example: "
		    "%sforebay db migrate --conninfo %s", words, a.sudo, a.conninfo);
	if (strcmp(state, "3D000") == 0)
		return errmsg_set(errmsg, ERR_DOWN, "%s; make it, for example: %screatedb %s -E UTF8 -T template0 '%s'", words,
		    server.sudo, server.server, db);
	return errmsg_set(errmsg, ERR_DOWN, "%s", words);
}
