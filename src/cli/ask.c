#include "cli/ask.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX	(1 << 20)	/* of a statement, with what stands before it */

static bool
fail(const char *what, const char *more)
{
	fflush(stdout);
	fprintf(stderr, "forebay: %s%s\n", what, more);
	return false;
}

static bool
statements(struct ask *a, const char *sql, const struct slice *params, size_t n)
{
	char errmsg[256];
	enum err e;

	while (*sql) {
		e = query_next(a->query, &sql, params, n, form_row, &a->form, errmsg);
		if (!form_end(&a->form) || ferror(stdout))
			return fail("the output cannot be written", "");
		if (e != ERR_OK)
			return fail(errmsg, "");
	}
	return true;
}

/* --- commands ------------------------------------------------------------------------------ */

static bool
c_help(struct ask *a UNUSED, const char *word UNUSED)
{
	printf(".headers on|off     names of columns above csv, list and tabs, and column\n"
	    ".mode FORM          one of");
	form_names(stdout);
	printf("\n.nullvalue TEXT     stands for NULL\n"
	    ".quit               the end; so is .exit\n"
	    ".schema [TABLE]     columns of the tables\n"
	    ".separator TEXT     between the columns of list\n"
	    ".tables             their names\n");
	return true;
}

static bool
c_headers(struct ask *a, const char *word)
{
	if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		return fail(".headers: on or off", "");
	a->form.header = strcmp(word, "on") == 0;
	return true;
}

static bool
c_mode(struct ask *a, const char *word)
{
	return form_named(word, &a->form.kind) || fail("no such form: ", word);
}

static bool
c_null(struct ask *a, const char *word)
{
	snprintf(a->null, sizeof a->null, "%s", word);
	a->form.null = a->null;
	return true;
}

static bool
c_separator(struct ask *a, const char *word)
{
	snprintf(a->separator, sizeof a->separator, "%s", word);
	a->form.separator = a->separator;
	return true;
}

static bool
c_quit(struct ask *a, const char *word UNUSED)
{
	a->quit = true;
	return true;
}

static bool
c_schema(struct ask *a, const char *word)
{
	static const char sql[] =
	    "SELECT 'CREATE TABLE ' || t.column1 || '(' || (SELECT group_concat(name || rtrim(' ' || type), ', ')"
	    " FROM pragma_table_info(t.column1)) || ');'"
	    " FROM (VALUES('event'), ('rejection'), ('request')) t WHERE ?1 IN ('', t.column1)";
	struct form plain, was = a->form;
	const struct slice table = slice_str(word);
	bool good;

	form_init(&plain);
	a->form = plain;
	good = statements(a, sql, &table, 1);
	form_fini(&a->form);
	a->form = was;
	return good;
}

static bool
c_tables(struct ask *a UNUSED, const char *word UNUSED)
{
	puts("event  rejection  request");
	return true;
}

static const struct { const char *name; bool (*run)(struct ask *, const char *word); } commands[] = {
	{ ".exit", c_quit }, { ".header", c_headers }, { ".headers", c_headers }, { ".help", c_help },
	{ ".mode", c_mode }, { ".nullvalue", c_null }, { ".quit", c_quit }, { ".schema", c_schema },
	{ ".separator", c_separator }, { ".tables", c_tables },
};

/* The second word of a line, without the quotes that may be round it. */
static void
second_word(char out[64], const char *line)
{
	const char *p = line + strcspn(line, " \t\r\n");
	char quote;

	p += strspn(p, " \t");
	quote = *p == '"' || *p == '\'' ? *p++ : '\0';
	snprintf(out, 64, "%.*s", (int)(quote ? strcspn(p, quote == '"' ? "\"\n" : "'\n") : strcspn(p, " \t\r\n")), p);
}

static bool
command(struct ask *a, const char *line)
{
	size_t i, n = strcspn(line, " \t\r\n");
	char word[64];

	second_word(word, line);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (strlen(commands[i].name) == n && memcmp(line, commands[i].name, n) == 0)
			return commands[i].run(a, word);
	snprintf(word, sizeof word, "%.*s", (int)(n < 40 ? n : 40), line);
	return fail(word, ": no such command here; .help lists what there is");
}

bool
ask_text(struct ask *a, const char *text)
{
	return *text == '.' ? command(a, text) : statements(a, text, NULL, 0);
}

/* --- a stream ------------------------------------------------------------------------------- */

static void
prompt(bool people, const struct buf *text)
{
	if (people) {
		fputs(text->n > 0 ? "    ...> " : "forebay> ", stdout);
		fflush(stdout);
	}
}

/* Runs what has been gathered, and forgets it. */
static bool
flush_text(struct ask *a, struct buf *text)
{
	bool good = true;

	buf_put(text, "", 1);
	if (text->failed)
		good = fail("a statement is too long", "");
	else
		good = statements(a, text->p, NULL, 0);
	buf_reset(text);
	return good;
}

/* Blanks have been passed. */
static bool
empty(const char *line)
{
	return *line == '\0' || strncmp(line, "--", 2) == 0;
}

static bool
take_line(struct ask *a, struct buf *text, const char *line)
{
	bool whole;

	if (text->n == 0 && !text->failed && *line == '.')
		return command(a, line);
	if (text->n == 0 && empty(line + strspn(line, " \t\r\n")))
		return true;
	buf_puts(text, line);
	buf_put(text, "", 1);
	whole = text->failed || query_complete(text->p);
	if (!text->failed)
		text->n--;
	return !whole || flush_text(a, text);
}

bool
ask_stream(struct ask *a, FILE *f, bool people)
{
	char *line = NULL;
	size_t room = 0;
	struct buf text;
	bool good = true;

	buf_init(&text, TEXT_MAX);
	for (prompt(people, &text); !a->quit && getline(&line, &room, f) > 0; prompt(people && !a->quit, &text))
		good = take_line(a, &text, line) && good;
	if (!a->quit && (text.n > 0 || text.failed))
		good = flush_text(a, &text) && good;
	if (people && !a->quit)
		puts("");
	buf_fini(&text);
	free(line);
	return good;
}
