#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "cli/cmd.h"
#include "journal/query.h"

#define LINE_MAX_BYTES	(64 * 1024 * 1024)

struct output { bool json; bool failed; size_t rows; struct buf line; };

static void
put_text(struct buf *b, const struct query_value *v)
{
	if (v->text.p)
		buf_put(b, v->text.p, v->text.n);
}

static void
put_json(struct buf *b, const struct query_value *v)
{
	if (!v->text.p)
		buf_puts(b, "null");
	else if (v->number)
		buf_put(b, v->text.p, v->text.n);
	else
		buf_json(b, v->text, SIZE_MAX);
}

static bool
print_row(void *arg, const struct query_value *v, size_t n)
{
	struct output *o = arg;
	struct buf *b = &o->line;
	size_t i;

	buf_reset(b);
	for (i = 0; i < n; i++) {
		if (o->json) {
			buf_puts(b, i ? "," : o->rows ? ",\n{" : "[{");
			buf_json(b, slice_str(v[i].name), 256);
			buf_puts(b, ":");
			put_json(b, &v[i]);
		} else {
			buf_puts(b, i ? "\t" : "");
			put_text(b, &v[i]);
		}
	}
	buf_puts(b, o->json ? "}" : "\n");
	o->rows++;
	o->failed = b->failed || fwrite(b->p, 1, b->n, stdout) != b->n;
	return !o->failed;
}

int
cmd_query(const struct conf *conf, int argc, char **argv)
{
	struct output o = { .json = argc == 3 && strcmp(argv[1], "--json") == 0 };
	char errmsg[256];
	enum err e;

	if (argc != (o.json ? 3 : 2)) {
		fputs("usage: forebay query [--json] SQL\n", stderr);
		return EX_USAGE;
	}
	buf_init(&o.line, LINE_MAX_BYTES);
	e = query_run(conf->journal_dir, argv[argc - 1], print_row, &o, errmsg);
	if (o.json)
		puts(o.rows ? "]" : "[]");
	buf_fini(&o.line);
	if (o.failed)
		return EX_IOERR;
	if (e != ERR_OK)
		fprintf(stderr, "%s\n", errmsg);
	return err_exit(e);
}
