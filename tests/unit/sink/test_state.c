/* What an SQLSTATE means, and how it is found in what libpq says of a failed login. */
#include <stdio.h>
#include <string.h>

#include "sink/state.h"
#include "tools/tap.h"

static void
is_class(const char *state, enum state_class want, const char *what)
{
	is_int(state_find(state)->class, want, what);
}

static void
is_login(const char *words, const char *want, const char *what)
{
	char state[6];

	state_of_login(words, state);
	is_str(state, want, what);
}

int
main(void)
{
	is_class("28P01", STATE_PERSON, "a wrong password is for a person");
	is_class("57P03", STATE_PASSES, "a server that starts is not");
	is_class("55000", STATE_PERSON, "a table in the way is for a person");
	is_class("55P03", STATE_PASSES, "a lock is not");
	is_class("53300", STATE_PASSES, "no free connection passes");
	is_class("53400", STATE_PERSON, "its class does not");
	is_class("22P05", STATE_ROW, "a character that jsonb does not take is the row's");
	is_class("22ABC", STATE_ROW, "what has no line of its own is as its class");
	is_class("P0ABC", STATE_ROW, "whatever a trigger raises is the row's");
	is_class("99999", STATE_PERSON, "a state of no known class is for a person");
	is_class("", STATE_PERSON, "so is none at all");
	is_str(state_find("08ZZZ")->name, "connection_exception", "the name is the class's, too");

	is_login("connection to server on socket \"/run/x\" failed: FATAL:  28P01: "
	    "Passwort-Authentifizierung fehlgeschlagen\nLOCATION:  auth_failed, auth.c:334\n", "28P01", "in German");
	is_login("failed: \xe8\x87\xb4\xe5\x91\xbd\xe7\x9a\x84:  28000: \xe3\x83\xad\n", "28000", "in Japanese");
	is_login("connection to server at \"10.0.0.1\", port 5432 failed: Connection refused\n", "", "nobody answered");
	is_login("a failed: FATAL:  28P01: no\nb failed: FATAL:  57P03: starts\n", "28P01",
	    "of several hosts the one that needs a person");
	is_login("a failed: FATAL:  57P03: starts\nb failed: FATAL:  3D000: no\n", "3D000", "wherever it stands");
	is_login("a failed: FATAL:  57P03: starts\nb failed: Connection refused\n", "57P03", "else what was said");
	is_login("failed: ERROR:  28p01: no\nfailed:  28P0: no\nfailed:  28P01\n", "", "what only looks like it");
	return done();
}
