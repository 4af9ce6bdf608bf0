/*
 * Rows in columns. A block of rows is kept until it is BLOCK large, so that the widths are
 * known; the next one is a table of its own.
 */
#include "cli/form.h"

#include <stdlib.h>
#include <string.h>

#include "cli/clean.h"

#define BLOCK		(16 << 20)
#define COLUMNS_MAX	2000		/* SQLite's */

/* Cells one behind the other, the names first; each a length and its bytes. */
struct form_table { size_t columns, rows; struct buf cells; size_t *width; bool tall; };

/* What the lines of a table are made of. */
struct rule { const char *left, *line, *cross, *right; };
struct look { struct rule top, middle, bottom; const char *bar; bool center, between; };
static const struct look looks[] = {
	[FORM_BOX] = { { "┌", "─", "┬", "┐" }, { "├", "─", "┼", "┤" }, { "└", "─", "┴", "┘" }, "│", true, true },
	[FORM_TABLE] = { { "+", "-", "+", "+" }, { "+", "-", "+", "+" }, { "+", "-", "+", "+" }, "|", true, true },
	[FORM_MARKDOWN] = { { NULL, NULL, NULL, NULL }, { "|", "-", "|", "|" }, { NULL, NULL, NULL, NULL }, "|", true, false },
	[FORM_COLUMN] = { { NULL, NULL, NULL, NULL }, { "", "-", "  ", "" }, { NULL, NULL, NULL, NULL }, NULL, false, true },
};

/* --- keeping ------------------------------------------------------------------------------- */

/* Cells of a line of text, up to its end or the text's; *used: bytes of it. */
static size_t
line_width(struct slice v, size_t *used)
{
	size_t i, len, cells = 0;
	bool plain;

	for (i = 0; i < v.n && v.p[i] != '\n'; i += len, cells++)
		len = clean_char((const unsigned char *)v.p + i, v.n - i, &plain);
	*used = i;
	return cells;
}

/* A tab is as many blanks as there are up to the next eighth column. */
static void
keep_text(struct buf *b, struct slice v)
{
	size_t i, len, at = 0;
	bool plain;

	for (i = 0; i < v.n; i += len) {
		len = clean_char((const unsigned char *)v.p + i, v.n - i, &plain);
		if (v.p[i] == '\t') {
			buf_printf(b, "%*s", 8 - (int)(at % 8), "");
			at += 8 - at % 8;
		} else {
			buf_put(b, v.p + i, len);
			at = v.p[i] == '\n' ? 0 : at + 1;
		}
	}
}

static void
keep_cell(struct form_table *t, size_t column, struct slice v)
{
	size_t at = t->cells.n, n, used, width;
	struct slice rest;

	buf_put(&t->cells, &at, sizeof at);
	keep_text(&t->cells, v);
	if (t->cells.failed)
		return;
	n = t->cells.n - at - sizeof n;
	memcpy(t->cells.p + at, &n, sizeof n);
	for (rest = (struct slice){ t->cells.p + at + sizeof n, n };; rest.p += used + 1, rest.n -= used + 1) {
		width = line_width(rest, &used);
		if (width > t->width[column])
			t->width[column] = width;
		if (used == rest.n)
			break;
		t->tall = true;
	}
}

static struct form_table *
table_new(const struct query_value *v, size_t n)
{
	struct form_table *t = calloc(1, sizeof *t);
	size_t i;

	if (!t)
		return NULL;
	buf_init(&t->cells, SIZE_MAX / 4);
	t->columns = n;
	t->width = calloc(n + 1, sizeof *t->width);
	for (i = 0; t->width && i < n; i++)
		keep_cell(t, i, slice_str(v[i].name));
	t->tall = false;
	return t;
}

static void
table_free(struct form *f)
{
	if (f->table) {
		buf_fini(&f->table->cells);
		free(f->table->width);
	}
	free(f->table);
	f->table = NULL;
}

bool
form_table_row(struct form *f, const struct query_value *v, size_t n)
{
	struct form_table *t = f->table ? f->table : table_new(v, n);
	size_t i;

	f->table = t;
	if (!t || !t->width)
		return false;
	for (i = 0; i < n; i++)
		keep_cell(t, i, v[i].type == QUERY_NULL ? slice_str(f->null) : v[i].text);
	t->rows++;
	if (t->cells.failed)
		return false;
	return t->cells.n < BLOCK || form_table_end(f);
}

/* --- writing ------------------------------------------------------------------------------- */

static void
blanks(size_t n)
{
	printf("%*s", (int)n, "");
}

static void
rule(const struct form_table *t, const struct rule *r)
{
	size_t i, k;

	if (!r->left)
		return;
	fputs(r->left, stdout);
	for (i = 0; i < t->columns; i++) {
		for (k = 0; k < t->width[i] + (*r->left ? 2 : 0); k++)
			fputs(r->line, stdout);
		fputs(i + 1 < t->columns ? r->cross : r->right, stdout);
	}
	fputs("\n", stdout);
}

static struct slice
next_cell(const char **at)
{
	struct slice v;

	memcpy(&v.n, *at, sizeof v.n);
	v.p = *at + sizeof v.n;
	*at = v.p + v.n;
	return v;
}

/* One line of a cell, which *v is past afterwards. */
static void
cell_line(struct slice *v, size_t width, bool center)
{
	size_t used, cells = line_width(*v, &used), room = width - cells;

	blanks(center ? room / 2 : 0);
	fwrite(v->p, 1, used, stdout);
	blanks(center ? room - room / 2 : room);
	used += used < v->n;
	v->p += used;
	v->n -= used;
}

/* A row, over as many lines as its tallest cell has. */
static bool
row(const struct form_table *t, const struct look *l, const char **at, bool center)
{
	struct slice *v = calloc(t->columns, sizeof *v);
	size_t i, left;

	if (!v)
		return false;
	for (i = 0; i < t->columns; i++)
		v[i] = next_cell(at);
	do {
		if (l->bar)
			printf("%s ", l->bar);
		for (left = i = 0; i < t->columns; i++) {
			cell_line(&v[i], t->width[i], center);
			left += v[i].n;
			if (l->bar)
				printf(" %s%s", l->bar, i + 1 < t->columns ? " " : "");
			else if (i + 1 < t->columns)
				fputs("  ", stdout);
		}
		fputs("\n", stdout);
	} while (left > 0);
	free(v);
	return true;
}

bool
form_table_end(struct form *f)
{
	const struct look *l = &looks[f->kind];
	struct form_table *t = f->table;
	bool good = true, header = f->kind != FORM_COLUMN || f->header;
	const char *at;
	size_t i;

	if (!t || !t->width || t->cells.failed || f->kind < FORM_BOX) {
		table_free(f);
		return true;
	}
	at = t->cells.p;
	rule(t, &l->top);
	if (header) {
		good = row(t, l, &at, l->center);
		rule(t, &l->middle);
	} else {
		for (i = 0; i < t->columns; i++)
			(void)next_cell(&at);
	}
	for (i = 0; good && i < t->rows; i++) {
		if (i > 0 && t->tall && l->bar && l->between)
			rule(t, &l->middle);
		else if (i > 0 && t->tall && l->between)
			fputs("\n", stdout);
		good = row(t, l, &at, false);
	}
	rule(t, &l->bottom);
	table_free(f);
	return good && !ferror(stdout);
}
