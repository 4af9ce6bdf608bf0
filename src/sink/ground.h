/*
 * What migrations need of a server, a database and a role, asked within a transaction
 * before anything is done. Whatever is in the way is told with what to type.
 */
#ifndef SINK_GROUND_H
#define SINK_GROUND_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/err.h"
#include "sink/errmsg.h"

#define GROUND_LEAST	14		/* PostgreSQL's least major version: COMPRESSION in 0001 */

/* A primary of a known version, UTF8, no template, no schema of the name of ours. ERR_SETUP
 * when not; ERR_DOWN: no answer. */
enum err ground_database(PGconn *, char errmsg[ERRMSG]) MUST_CHECK;
/* May this role do it? first: the schema is not there yet, so it has to make roles too. */
enum err ground_role(PGconn *, bool first, char errmsg[ERRMSG]) MUST_CHECK;
/*
 * Why PQconnectdbParams() failed. libpq shows the SQLSTATE of a refused login only in
 * verbose messages, which cannot be asked for before there is a connection: so this
 * tries once more. ERR_OK: that succeeded. conninfo: what it was called with.
 */
enum err ground_login(PGconn *, const char *conninfo, char errmsg[ERRMSG]) MUST_CHECK;

#endif
