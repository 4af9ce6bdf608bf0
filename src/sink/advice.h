/*
 * Lines for a person to type at a server, as one who may do anything there. On a UNIX
 * socket they begin with sudo: as PostgreSQL's packages set it up, a role gets in there
 * from the account of its name only (peer authentication).
 */
#ifndef SINK_ADVICE_H
#define SINK_ADVICE_H

#include <libpq-fe.h>

#define ADVICE_SUPERUSER	"postgres"	/* account and role, as packages make them */

/*
 * "%spsql %s -c '...'" or "%sforebay db migrate --conninfo %s": sudo is empty or ends
 * with a blank, conninfo is one word for the shell, and so is server, for createdb.
 */
struct advice { char sudo[32], conninfo[600], server[400]; };

/* To where conn leads or was meant to lead. user: for a connection over TCP. */
void advice_make(struct advice *, PGconn *conn, const char *dbname, const char *user);

#endif
