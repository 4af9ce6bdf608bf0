/* No secret of a connection string is told, however it is written; the rest is. */
#include <string.h>

#include "base/buf.h"
#include "sink/conninfo.h"
#include "tools/tap.h"

static const char *
show(const char *conninfo)
{
	static char out[2100];

	conninfo_show(conninfo, out, sizeof out);
	return out;
}

static void
shown(void)
{
	char small[8];

	is_str(show("host=h dbname=forebay"), "host=h dbname=forebay", "words without a secret stay as they are");
	is_str(show("postgresql://u@h/db?sslmode=require"), "postgresql://u@h/db?sslmode=require", "so does a URI");
	is_str(show("forebay"), "forebay", "and a database's name");
	is_str(show(""), "", "and nothing");
	is_str(show("host=h password=hush user=u"), "user=u password=*** host=h", "a password");
	is_str(show("host = h password = 'hush \\' hush'"), "password=*** host=h", "a password in quotes");
	is_str(show("postgresql://u:hu%20sh@h:5433/db"), "user=u password=*** dbname=db host=h port=5433",
	    "a password in a URI");
	is_str(show("postgres://h/db?password=hush"), "password=*** dbname=db host=h", "one of its parameters");
	is_str(show("sslkey=k sslpassword=hush dbname='a b'"), "dbname='a b' sslkey=k sslpassword=***", "a key's password");
	is_str(show("host=h password='hush"), "***", "what libpq does not take is not shown");
	is_str(show("postgresql://u:hush@[::1/db"), "***", "nor is such a URI");
	conninfo_show("host=h password=hush user=u", small, sizeof small);
	is_str(small, "***", "nor what has no room");
}

static void
told(void)
{
	static const char *const unread[] = { "password=my hush", "password=hush x=", "password='hush",
		"postgresql://u:%zhush@h/db", "postgresql://u:hush@[::1/db", "postgresql://u:p@hush@h/db",
		"postgresql://u:hu/sh@h/db" };
	static const char *const read[] = { "host=h password=hush", "hosst=h", "postgresql://u:hush@h/db",
		"postgresql:///db?user=me@there", "forebay" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unread); i++)
		ok(!strstr(conninfo_words(unread[i], "hush"), "hush"), "not told: libpq's words of %s", unread[i]);
	for (i = 0; i < ARRAY_SIZE(read); i++)
		is_str(conninfo_words(read[i], "words"), "words", read[i]);
}

int
main(void)
{
	shown();
	told();
	ok(conninfo_good("forebay") && conninfo_good("") && conninfo_good("host=h"), "names and words are good");
	ok(!conninfo_good("hosst=h"), "an unknown option is not");
	return done();
}
