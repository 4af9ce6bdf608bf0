/*
 * Reads tests/data/parse.cases; its first lines say how it is written.
 */
#ifndef TESTS_CASES_H
#define TESTS_CASES_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "event/decode.h"

/* Small ones, so that cases can be over them. */
static const struct limits case_limits = { .event_bytes = 1000, .events = 8, .depth = 8 };

struct one_case {
	char name[200];
	struct buf input;	/* bytes */
	struct buf expected;	/* lines */
};

static inline int
cases_hex(const char *p)
{
	char h[3] = { p[0], p[0] ? p[1] : '\0', '\0' }, *end;
	long v = strtol(h, &end, 16);

	return end == h + 2 ? (int)v : -1;
}

/* %XX is a byte, %(N*text) is text N times. */
static inline void
cases_decode(const char *p, const char *end, struct buf *out)
{
	const char *close, *star;
	long n;

	while (p < end) {
		if (p[0] == '%' && p[1] == '(' && (close = strchr(p, ')')) && (star = strchr(p, '*'))) {
			for (n = strtol(p + 2, NULL, 10); n > 0; n--)
				cases_decode(star + 1, close, out);
			p = close + 1;
		} else if (p[0] == '%' && cases_hex(p + 1) >= 0) {
			buf_put(out, &(char){ (char)cases_hex(p + 1) }, 1);
			p += 3;
		} else {
			buf_put(out, p++, 1);
		}
	}
}

/* The next case; false at the end. Both bufs are the caller's, made by buf_init(). */
static inline bool
cases_next(FILE *f, struct one_case *c)
{
	static char line[65536];
	int n = 0;

	buf_reset(&c->input);
	buf_reset(&c->expected);
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		if (line[0] == '\0' && n >= 3)
			break;
		if (line[0] == '\0' && n < 2)
			continue;
		if (n == 0)
			snprintf(c->name, sizeof c->name, "%.190s", line);
		else if (n == 1)
			cases_decode(line, line + strlen(line), &c->input);
		else
			buf_printf(&c->expected, "%s\n", line);
		n++;
	}
	return n > 0;
}

static inline void
cases_print_slice(struct buf *out, const char *what, struct slice s)
{
	size_t i, n = s.n > 80 ? 60 : s.n;

	if (!s.p)
		return;
	buf_printf(out, " %s", what);
	for (i = 0; i < n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7F || s.p[i] == '%')
			buf_printf(out, "%%%02X", (unsigned char)s.p[i]);
		else
			buf_put(out, s.p + i, 1);
	if (n < s.n)
		buf_printf(out, "...%zu", s.n);
}

static inline void
cases_print_row(struct buf *out, const struct row *r)
{
	char made[UUID_TEXT], when[CLOCK_TEXT];

	buf_puts(out, "row");
	if (!slice_is(r->id, uuid_text(r->fingerprint, made)))
		cases_print_slice(out, "id=", r->id);
	cases_print_slice(out, "type=", r->type);
	cases_print_slice(out, "source=", r->source);
	cases_print_slice(out, "subject=", r->subject);
	if (r->time != CLOCK_UNSET)
		buf_printf(out, " time=%s", clock_text(r->time, when));
	cases_print_slice(out, "", r->payload);
	buf_puts(out, "\n");
}

/* What the decoder said, in the form of the file. */
static inline void
cases_print(struct buf *out, const struct decoded *o)
{
	size_t i;

	if (o->whole != REFUSE_NONE)
		buf_printf(out, "whole %s @%zu\n", refusals[o->whole].code, o->whole_offset);
	if (o->n_times_unread > 0)
		buf_printf(out, "unread times: %zu\n", o->n_times_unread);
	for (i = 0; i < o->n_rows; i++)
		cases_print_row(out, &o->rows[i]);
	for (i = 0; i < o->n_refused; i++)
		buf_printf(out, "refused %zu %s @%zu\n", o->errors[i].index,
		    refusals[o->errors[i].code].code, o->errors[i].offset);
}

#endif
