#include "event/pointer.h"

#include <stdbool.h>

#define LEVELS	64
#define MOST	512

/* One open bracket: the key that was read last, or the number of elements before. */
struct level {
	bool map, has_key;
	struct slice key;	/* raw, without its quotes */
	size_t index;
};

struct walk {
	const char *p;
	size_t n, i;
	struct level level[LEVELS];
	size_t depth;		/* brackets open; may exceed LEVELS */
};

static struct level *
innermost(struct walk *w)
{
	return w->depth > 0 && w->depth <= LEVELS ? &w->level[w->depth - 1] : NULL;
}

/* Past the string that begins at i; its bytes without the quotes. */
static struct slice
skip_string(struct walk *w)
{
	size_t begin = ++w->i;

	while (w->i < w->n && w->p[w->i] != '"')
		w->i += w->p[w->i] == '\\' && w->i + 1 < w->n ? 2 : 1;
	if (w->i > w->n)
		w->i = w->n;
	return (struct slice){ w->p + begin, w->i - begin };
}

static void
step(struct walk *w)
{
	struct level *l = innermost(w);
	struct slice s;

	switch (w->p[w->i]) {
	case '{':
	case '[':
		w->depth++;
		l = innermost(w);
		if (l)
			*l = (struct level){ .map = w->p[w->i] == '{' };
		break;
	case '}':
	case ']':
		w->depth -= w->depth > 0;
		break;
	case ',':
		if (l && !l->map)
			l->index++;
		else if (l)
			l->has_key = false;
		break;
	case '"':
		s = skip_string(w);
		if (l && l->map && !l->has_key) {
			l->key = s;
			l->has_key = true;
		}
		break;
	default:
		break;
	}
	w->i++;
}

/* ~ and / are escaped as RFC 6901 says. */
static void
put_token(struct buf *out, struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '~')
			buf_puts(out, "~0");
		else if (s.p[i] == '/')
			buf_puts(out, "~1");
		else
			buf_put(out, s.p + i, 1);
	}
}

void
pointer_to(struct buf *out, struct slice json, size_t at)
{
	struct walk w = { .p = json.p, .n = json.n };
	size_t k, levels, limit = out->n + MOST;

	while (w.i < w.n && w.i <= at)
		step(&w);
	levels = w.depth < LEVELS ? w.depth : LEVELS;
	for (k = 0; k < levels; k++) {
		if (w.level[k].map && !w.level[k].has_key)
			break;
		if (out->n + 32 + 2 * w.level[k].key.n > limit)
			break;
		buf_puts(out, "/");
		if (w.level[k].map)
			put_token(out, w.level[k].key);
		else
			buf_printf(out, "%zu", w.level[k].index);
	}
}
