/*
 * Rows of a query in the form that somebody has asked for: as they come, or, in forms with
 * columns as wide as their widest value, in blocks. What they look like is what the sqlite3
 * shell makes of them.
 */
#ifndef CLI_FORM_H
#define CLI_FORM_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "journal/query.h"

enum form_kind {
	FORM_LIST, FORM_TABS, FORM_CSV, FORM_JSON, FORM_LINE,
	FORM_BOX, FORM_TABLE, FORM_MARKDOWN, FORM_COLUMN,	/* those of form_table.c */
};

struct form {
	enum form_kind kind;
	bool header;
	const char *separator, *null;	/* of a list; what stands for NULL */
	uint64_t rows;			/* of this result, so far */
	struct buf out;
	struct form_table *table;	/* rows of the block at hand */
};

/* false: no form has this name. */
bool form_named(const char *name, enum form_kind *);
/* The names, with a blank before each. */
void form_names(FILE *);

void form_init(struct form *);
void form_fini(struct form *);		/* after form_end() */
/* A query_row; false: no memory, or nobody takes the output. */
bool form_row(void *form, const struct query_value *, size_t n);
/* After the last row of a result. false as above. */
bool form_end(struct form *);

/* form_table.c: keeps the row, and writes the block when it is large. */
bool form_table_row(struct form *, const struct query_value *, size_t n);
bool form_table_end(struct form *);

#endif
