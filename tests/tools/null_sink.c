#include "tools/null_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct null {
	struct sink base;
	struct sink_progress *all;
	size_t n, room;
};

static struct sink_progress *
find(struct null *s, struct uuid segment)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (memcmp(&s->all[i].segment, &segment, sizeof segment) == 0)
			return &s->all[i];
	return NULL;
}

static enum err
null_connect(struct sink *base)
{
	(void)base;
	return ERR_OK;
}

static enum err
null_progress(struct sink *base, struct sink_progress *p, size_t n)
{
	struct null *s = (struct null *)base;
	const struct sink_progress *known;
	size_t i;

	for (i = 0; i < n; i++) {
		known = find(s, p[i].segment);
		p[i].known = known != NULL;
		p[i].last_seq = known ? known->last_seq : 0;
	}
	return ERR_OK;
}

static enum err
set_progress(struct null *s, struct uuid segment, int64_t last_seq)
{
	struct sink_progress *p = find(s, segment), *more;

	if (!p && s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		more = realloc(s->all, s->room * sizeof *more);
		if (!more) {
			snprintf(s->base.errmsg, sizeof s->base.errmsg, "out of memory");
			return ERR_NOMEM;
		}
		s->all = more;
	}
	if (!p)
		p = &s->all[s->n++];
	*p = (struct sink_progress){ segment, true, last_seq };
	return ERR_OK;
}

static enum err
null_attempt(struct sink *base, const struct sink_batch *b, enum sink_mode mode,
	     const struct sink_bad *bad, size_t n_bad, size_t room, struct sink_result *r)
{
	struct null *s = (struct null *)base;
	enum err e = ERR_OK;
	size_t i;

	(void)mode, (void)bad, (void)room;
	memset(r, 0, sizeof *r);
	for (i = 0; e == ERR_OK && i < b->n_parts; i++)
		e = set_progress(s, b->parts[i].segment, b->rows[b->parts[i].first + b->parts[i].n - 1].seq);
	for (i = 0; i < b->n_rows; i++)
		r->rejected += b->rows[i].kind == ROW_REJECTION;
	r->quarantined = n_bad;
	r->loaded = b->n_rows - r->rejected - n_bad;
	return e;
}

static void
null_disconnect(struct sink *s)
{
	(void)s;
}

static void
null_close(struct sink **sp)
{
	struct null *s = (struct null *)*sp;

	if (s)
		free(s->all);
	free(s);
	*sp = NULL;
}

enum err
null_sink_open(struct sink **out)
{
	static const struct sink_ops ops = {
		null_connect, null_progress, null_attempt, null_connect, null_connect, null_disconnect,
		null_close,
	};
	struct null *s = calloc(1, sizeof *s);

	*out = NULL;
	if (!s)
		return ERR_NOMEM;
	s->base.ops = &ops;
	*out = (struct sink *)s;
	return ERR_OK;
}
