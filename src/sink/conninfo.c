#include "sink/conninfo.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define HIDDEN	"***"

void
conninfo_put(struct buf *b, const char *name, const char *value)
{
	bool plain = *value && !value[strcspn(value, " \t\n'\\")];

	buf_printf(b, "%s%s=%s", b->n ? " " : "", name, plain ? "" : "'");
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			buf_put(b, "\\", 1);
		buf_put(b, value, 1);
	}
	buf_put(b, "'", plain ? 0 : 1);
}

/* What stands after the scheme of a URI, or NULL: words. */
static const char *
uri(const char *conninfo)
{
	static const char *const schemes[] = { "postgresql://", "postgres://" };	/* libpq's, in this case */
	size_t i;

	for (i = 0; i < ARRAY_SIZE(schemes); i++)
		if (strncmp(conninfo, schemes[i], strlen(schemes[i])) == 0)
			return conninfo + strlen(schemes[i]);
	return NULL;
}

static bool
is_name(const char *conninfo)
{
	return !uri(conninfo) && !strchr(conninfo, '=');
}

static bool
is_secret(const PQconninfoOption *o)
{
	return o->val && strcmp(o->dispchar, "*") == 0;
}

bool
conninfo_good(const char *conninfo)
{
	PQconninfoOption *all = is_name(conninfo) ? NULL : PQconninfoParse(conninfo, NULL);
	bool good = all || is_name(conninfo);

	PQconninfoFree(all);
	return good;
}

static void
put_all(struct buf *b, const PQconninfoOption *all)
{
	const PQconninfoOption *o;

	for (o = all; o->keyword; o++)
		if (o->val)
			conninfo_put(b, o->keyword, is_secret(o) ? HIDDEN : o->val);
	buf_put(b, "", 1);
}

void
conninfo_show(const char *conninfo, char *out, size_t n)
{
	PQconninfoOption *all = is_name(conninfo) ? NULL : PQconninfoParse(conninfo, NULL), *o;
	bool secret = false;
	struct buf b;

	for (o = all; o && o->keyword; o++)
		secret |= is_secret(o);
	buf_init(&b, n);
	if (all && secret)
		put_all(&b, all);
	else if (all || is_name(conninfo))
		buf_put(&b, conninfo, strlen(conninfo) + 1);
	snprintf(out, n, "%s", b.n > 0 && !b.failed ? b.p : HIDDEN);
	buf_fini(&b);
	PQconninfoFree(all);
}

/* A password with @ or / that is not percent-encoded: libpq takes its end for host, port or
 * database. */
static bool
is_ambiguous(const char *rest)
{
	size_t n = strcspn(rest, "?");
	const char *at = memrchr(rest, '@', n);

	return at && strcspn(rest, "@/") < (size_t)(at - rest);
}

const char *
conninfo_words(const char *conninfo, const char *words)
{
	const char *rest = uri(conninfo);

	if (rest ? !is_ambiguous(rest) && conninfo_good(conninfo) :
	    conninfo_good(conninfo) || !strcasestr(conninfo, "pass"))
		return words;
	return "the connection string is not one that libpq can read; its words are not told, since they may quote a "
	    "part of the password. In words a password with blanks stands in '...'; in a URI each of its : / @ ? % "
	    "is percent-encoded";
}
