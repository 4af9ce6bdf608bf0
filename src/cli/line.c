#include "cli/line.h"

#include <inttypes.h>

#include "cli/clean.h"

static void
put_member(struct buf *b, const char *name, struct slice v)
{
	if (!v.p)
		return;
	buf_printf(b, ",\"%s\":", name);
	buf_json(b, v, SIZE_MAX);
}

/* JSON as it stands, on one line: outside of strings a line's end is a blank. */
static void
put_raw(struct buf *b, const char *name, struct slice v)
{
	size_t from;

	if (v.n == 0)
		return;
	buf_printf(b, ",\"%s\":", name);
	from = b->n;
	buf_put(b, v.p, v.n);
	for (; !b->failed && from < b->n; from++)
		if (b->p[from] == '\n' || b->p[from] == '\r')
			b->p[from] = ' ';
}

void
line_json(struct buf *b, struct uuid segment, const struct row *r)
{
	char name[UUID_TEXT], at[CLOCK_TEXT];

	buf_printf(b, "{\"segment\":\"%s\",\"seq\":%" PRId64 ",\"received_at\":\"%s\"",
	    uuid_text(segment, name), r->seq, clock_text(r->received_at, at));
	put_member(b, "reason", r->reason);
	put_member(b, "key", r->key);
	put_member(b, "source", r->source);
	put_member(b, "id", r->id);
	put_member(b, "type", r->type);
	put_member(b, "subject", r->subject);
	if (r->time != CLOCK_UNSET)
		put_member(b, "time", slice_str(clock_text(r->time, at)));
	put_raw(b, "context", r->context);
	if (r->kind == ROW_EVENT)
		put_raw(b, "payload", r->payload);
	else
		put_member(b, "payload", r->payload);
	buf_puts(b, "}\n");
}

/* For people's eyes: one line, and no control character reaches the terminal. */
static void
put_clean(struct buf *b, struct slice v)
{
	const unsigned char *p = (const unsigned char *)v.p;
	size_t i, len;
	bool plain;

	for (i = 0; i < v.n; i += len) {
		len = clean_char(p + i, v.n - i, &plain);
		if (plain)
			buf_put(b, p + i, len);
		else
			buf_puts(b, p[i] == '\n' || p[i] == '\r' || p[i] == '\t' ? " " : "?");
	}
}

static void
put_word(struct buf *b, struct slice v)
{
	if (v.n > 0)
		put_clean(b, v);
	else
		buf_puts(b, "-");
	buf_puts(b, "  ");
}

/* Cut to the terminal's width at a character's start; a character counts as one cell. */
static void
cut(struct buf *b, int width)
{
	size_t i, cells = 0;

	for (i = 0; width > 0 && !b->failed && i < b->n; i++)
		if (((unsigned char)b->p[i] & 0xC0) != 0x80 && ++cells > (size_t)width) {
			b->n = i;
			return;
		}
}

void
line_text(struct buf *b, int width, const struct row *r)
{
	char at[CLOCK_TEXT];

	clock_text(r->received_at, at);
	buf_printf(b, "%.12s  ", at + 11);
	put_word(b, r->kind == ROW_EVENT ? r->source : r->reason);
	put_word(b, r->type);
	put_word(b, r->id);
	put_clean(b, r->payload);
	cut(b, width);
	buf_puts(b, "\n");
}
