/*
 * What may be told of an error. PostgreSQL's words quote the row where a value is
 * wrong, and a function's say whatever its author wrote; logs and forebay.quarantine
 * outlive the row's erasure, so they get names instead: of the error, and of what it
 * happened to. PostgreSQL's own log has the words.
 */
#include <stdio.h>
#include <string.h>

#include "sink/pg.h"
#include "sink/state.h"

#define WHOSE	"; PostgreSQL's log has its words"

static const char *
field(const PGresult *res, int code)
{
	const char *s = PQresultErrorField(res, code);

	return s ? s : "";
}

/* Of these the words name objects only, also where a function's statement failed. */
static bool
names_only(const char *state)
{
	static const char *const states[] = { "3F000", "42501", "42883", "42P01" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(state, states[i]) == 0)
			return true;
	return false;
}

/* The server tells where an error came up, a line for each caller; `own` lines belong to
 * the statement itself. */
static bool
out_of_a_function(const PGresult *res, size_t own)
{
	const char *s = field(res, PG_DIAG_CONTEXT);
	size_t lines = *s != '\0';

	for (; *s; s++)
		lines += *s == '\n';
	return lines > own;
}

static void
add(char *out, size_t n, const char *what, const char *name)
{
	size_t used = strlen(out);

	if (*name)
		snprintf(out + used, n - used, "%s%s", what, name);
}

static void
names(const PGresult *res, const char *state, char *out, size_t n)
{
	snprintf(out, n, "%s", state_find(state)->name);
	/* RAISE may have filled them with anything */
	if (strcmp(field(res, PG_DIAG_SOURCE_FUNCTION), "exec_stmt_raise") == 0) {
		add(out, n, "", WHOSE);
		return;
	}
	add(out, n, ", constraint ", field(res, PG_DIAG_CONSTRAINT_NAME));
	add(out, n, ", type ", field(res, PG_DIAG_DATATYPE_NAME));
	add(out, n, ", column ", field(res, PG_DIAG_COLUMN_NAME));
	add(out, n, ", table ", field(res, PG_DIAG_SCHEMA_NAME));
	add(out, n, *field(res, PG_DIAG_SCHEMA_NAME) ? "." : ", table ", field(res, PG_DIAG_TABLE_NAME));
	add(out, n, "", WHOSE);
}

void
pg_words(const PGresult *res, bool carrying, size_t own, char *out, size_t n)
{
	const char *state = field(res, PG_DIAG_SQLSTATE);

	if (carrying && (state_find(state)->class == STATE_ROW ||
	    (out_of_a_function(res, own) && !names_only(state))))
		names(res, state, out, n);
	else
		snprintf(out, n, "%s", field(res, PG_DIAG_MESSAGE_PRIMARY));
}
