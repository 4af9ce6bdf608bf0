#include "cli/form.h"

#include <string.h>

#define ROW_MAX		(1 << 30)

static const struct { const char *name; enum form_kind kind; } names[] = {
	{ "box", FORM_BOX }, { "column", FORM_COLUMN }, { "csv", FORM_CSV }, { "json", FORM_JSON },
	{ "line", FORM_LINE }, { "list", FORM_LIST }, { "markdown", FORM_MARKDOWN },
	{ "table", FORM_TABLE }, { "tabs", FORM_TABS },
};

bool
form_named(const char *name, enum form_kind *kind)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i].name) == 0) {
			*kind = names[i].kind;
			return true;
		}
	return false;
}

void
form_names(FILE *f)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		fprintf(f, " %s", names[i].name);
}

void
form_init(struct form *f)
{
	*f = (struct form){ .kind = FORM_LIST, .separator = "|", .null = "" };
	buf_init(&f->out, ROW_MAX);
}

void
form_fini(struct form *f)
{
	buf_fini(&f->out);
}

/* --- values ------------------------------------------------------------------------------- */

static struct slice
value(const struct form *f, const struct query_value *v)
{
	return v->type == QUERY_NULL ? slice_str(f->null) : v->text;
}

/* Quoted where it holds what could be taken for something else, or begins or ends in a blank. */
static void
csv(struct buf *b, struct slice v)
{
	size_t i, from = 0;
	bool quote = v.n == 0;

	for (i = 0; i < v.n && !quote; i++)
		quote = (unsigned char)v.p[i] <= ' ' || (unsigned char)v.p[i] >= 0x7F || strchr("\"',", v.p[i]) != NULL;
	if (!quote) {
		buf_put(b, v.p, v.n);
		return;
	}
	buf_puts(b, "\"");
	for (i = 0; i < v.n; i++)
		if (v.p[i] == '"') {
			buf_put(b, v.p + from, i + 1 - from);
			from = i;
		}
	buf_put(b, v.p + from, v.n - from);
	buf_puts(b, "\"");
}

static void
csv_value(struct form *f, const struct query_value *v)
{
	if (v->type == QUERY_NULL)
		buf_puts(&f->out, f->null);
	else
		csv(&f->out, v->text);
}

/* JSON has no infinity; one too large reads as such. */
static void
json_value(struct form *f, const struct query_value *v)
{
	if (v->type == QUERY_NULL)
		buf_puts(&f->out, "null");
	else if (v->type == QUERY_REAL && slice_is(v->text, "Inf"))
		buf_puts(&f->out, "1e999");
	else if (v->type == QUERY_REAL && slice_is(v->text, "-Inf"))
		buf_puts(&f->out, "-1e999");
	else if (v->type == QUERY_INTEGER || v->type == QUERY_REAL)
		buf_put(&f->out, v->text.p, v->text.n);
	else
		buf_json(&f->out, v->text, SIZE_MAX);
}

/* --- rows --------------------------------------------------------------------------------- */

static void
list_row(struct form *f, const struct query_value *v, size_t n, bool names_only)
{
	const char *separator = f->kind == FORM_TABS ? "\t" : f->kind == FORM_CSV ? "," : f->separator;
	struct slice one;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_puts(&f->out, separator);
		one = names_only ? slice_str(v[i].name) : value(f, &v[i]);
		if (f->kind != FORM_CSV)
			buf_put(&f->out, one.p, one.n);
		else if (names_only)
			csv(&f->out, one);
		else
			csv_value(f, &v[i]);
	}
	buf_puts(&f->out, "\n");
}

static void
json_row(struct form *f, const struct query_value *v, size_t n)
{
	size_t i;

	buf_puts(&f->out, f->rows == 0 ? "[{" : ",\n{");
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_puts(&f->out, ",");
		buf_json(&f->out, slice_str(v[i].name), SIZE_MAX);
		buf_puts(&f->out, ":");
		json_value(f, &v[i]);
	}
	buf_puts(&f->out, "}");
}

static void
line_row(struct form *f, const struct query_value *v, size_t n)
{
	struct slice one;
	size_t i;
	int width = 5;

	for (i = 0; i < n; i++)
		if ((int)strlen(v[i].name) > width)
			width = (int)strlen(v[i].name);
	if (f->rows > 0)
		buf_puts(&f->out, "\n");
	for (i = 0; i < n; i++) {
		one = value(f, &v[i]);
		buf_printf(&f->out, "%*s = ", width, v[i].name);
		buf_put(&f->out, one.p, one.n);
		buf_puts(&f->out, "\n");
	}
}

static bool
put_out(struct form *f)
{
	bool good = !f->out.failed && fwrite(f->out.p, 1, f->out.n, stdout) == f->out.n;

	buf_reset(&f->out);
	return good;
}

bool
form_row(void *arg, const struct query_value *v, size_t n)
{
	struct form *f = arg;

	if (f->kind >= FORM_BOX) {
		f->rows++;
		return form_table_row(f, v, n);
	}
	if (f->kind == FORM_JSON) {
		json_row(f, v, n);
	} else if (f->kind == FORM_LINE) {
		line_row(f, v, n);
	} else {
		if (f->rows == 0 && f->header)
			list_row(f, v, n, true);
		list_row(f, v, n, false);
	}
	f->rows++;
	return put_out(f);
}

bool
form_end(struct form *f)
{
	bool good = true;

	if (f->kind >= FORM_BOX)
		good = form_table_end(f);
	else if (f->kind == FORM_JSON && f->rows > 0)
		good = fputs("]\n", stdout) >= 0;
	f->rows = 0;
	return good;
}
