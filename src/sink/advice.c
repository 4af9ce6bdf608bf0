#include "sink/advice.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "sink/conninfo.h"

/* A word for the shell. */
static void
put_word(struct buf *b, const char *s, size_t n)
{
	buf_put(b, "'", 1);
	for (; n > 0; n--, s++)
		if (*s == '\'')
			buf_put(b, "'\\''", 4);
		else
			buf_put(b, s, 1);
	buf_put(b, "'", 1);
}

static void
take(struct buf *b, char *out, size_t n)
{
	snprintf(out, n, "%.*s", b->failed ? 0 : (int)b->n, b->n ? b->p : "");
	buf_fini(b);
}

static void
make_conninfo(struct advice *a, const char *host, const char *port, const char *dbname, const char *user)
{
	struct buf plain, word;

	buf_init(&plain, sizeof a->conninfo);
	buf_init(&word, sizeof a->conninfo - 1);
	conninfo_put(&plain, "host", host);
	conninfo_put(&plain, "port", port);
	conninfo_put(&plain, "dbname", dbname);
	if (user)
		conninfo_put(&plain, "user", user);
	put_word(&word, plain.p, plain.n);
	buf_fini(&plain);
	take(&word, a->conninfo, sizeof a->conninfo);
}

static void
make_server(struct advice *a, const char *host, const char *port, const char *user)
{
	struct buf b;

	buf_init(&b, sizeof a->server - 1);
	buf_printf(&b, "-h ");
	put_word(&b, host, strlen(host));
	buf_printf(&b, " -p %s", port);
	if (user) {
		buf_printf(&b, " -U ");
		put_word(&b, user, strlen(user));
	}
	take(&b, a->server, sizeof a->server);
}

void
advice_make(struct advice *a, PGconn *conn, const char *dbname, const char *user)
{
	const char *host = PQhost(conn), *port = PQport(conn);
	bool local = !host || !*host || *host == '/' || *host == '@';

	snprintf(a->sudo, sizeof a->sudo, "%s", local ? "sudo -u " ADVICE_SUPERUSER " " : "");
	make_conninfo(a, host ? host : "", port ? port : "", dbname, local ? NULL : user);
	make_server(a, host ? host : "", port ? port : "", local ? NULL : user);
}
