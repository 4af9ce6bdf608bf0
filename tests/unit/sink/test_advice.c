/* Lines to type are words for the shell, whatever names have in them. */
#include "sink/advice.h"
#include "tools/tap.h"

static struct advice a;

static void
make(const char *conninfo, const char *dbname, const char *user)
{
	PGconn *conn = PQconnectStart(conninfo);

	advice_make(&a, conn, dbname, user);
	PQfinish(conn);
}

int
main(void)
{
	make("host=/nowhere/run port=5433", "forebay", "boss");
	is_str(a.sudo, "sudo -u postgres ", "a socket: sudo");
	is_str(a.conninfo, "'host=/nowhere/run port=5433 dbname=forebay'", "a socket: no user, who is the account's name");
	is_str(a.server, "-h '/nowhere/run' -p 5433", "a socket: for createdb");
	make("host=127.0.0.1 port=1", "forebay", "boss");
	is_str(a.sudo, "", "over TCP no sudo");
	is_str(a.conninfo, "'host=127.0.0.1 port=1 dbname=forebay user=boss'", "over TCP with the user");
	is_str(a.server, "-h '127.0.0.1' -p 1 -U 'boss'", "over TCP: for createdb");
	make("host=/nowhere/run port=5432", "it's \\ mine", "boss");
	is_str(a.conninfo, "'host=/nowhere/run port=5432 dbname='\\''it\\'\\''s \\\\ mine'\\'''",
	    "a blank, a quote and a backslash in the name");
	make("host=/nowhere/run port=5432", "", "boss");
	is_str(a.conninfo, "'host=/nowhere/run port=5432 dbname='\\'''\\'''", "no name");
	return done();
}
