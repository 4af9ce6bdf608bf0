#include "sink/state.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define CODE	5

static const struct state states[] = {
#define SQLSTATE(code, class, name, doc) { code, STATE_##class, name },
#include "sink/sqlstates.def"
};

static const struct state *
line(const char *sqlstate, size_t n)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (strlen(states[i].code) == n && strncmp(states[i].code, sqlstate, n) == 0)
			return &states[i];
	return NULL;
}

const struct state *
state_find(const char *sqlstate)
{
	static const struct state unseen = { "", STATE_PERSON, "error" };
	const struct state *s = line(sqlstate, CODE);

	if (!s)
		s = line(sqlstate, 2);
	return s ? s : &unseen;
}

static bool
is_code(const char *s)
{
	size_t i;

	for (i = 0; i < CODE; i++)
		if (!isdigit((unsigned char)s[i]) && !(s[i] >= 'A' && s[i] <= 'Z'))
			return false;
	return s[CODE] == ':' && s[CODE + 1] == ' ';
}

void
state_of_login(const char *words, char out[6])
{
	const char *at;

	out[0] = '\0';
	for (at = strstr(words, ":  "); at; at = strstr(at + 1, ":  "))
		if (is_code(at + 3) && !(out[0] && state_find(out)->class == STATE_PERSON))
			snprintf(out, CODE + 1, "%s", at + 3);
}
