/*
 * A session of questions to the journal: statements of SQL, and the few commands that begin
 * with a dot. Errors go to standard error, answers to standard output.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/form.h"
#include "journal/query.h"

struct ask {
	struct query *query;
	struct form form;
	char separator[32], null[32];	/* what .separator and .nullvalue have set */
	bool quit;			/* the user has had enough */
};

/* Statements, or one command. false: one of them failed, and the rest was left. */
bool ask_text(struct ask *, const char *text);
/* All of a stream, to its end or .quit; with prompts where `people` type. A statement that
 * fails does not end it. false: one failed. */
bool ask_stream(struct ask *, FILE *, bool people);

#endif
