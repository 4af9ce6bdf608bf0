#include "cli/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "journal/segment.h"

#define GAPS_MAX	100000		/* as in LOOKUP_GAPS */
#define BATCH		1000		/* fingerprints in one question */

void
audit_tell(const struct audit *a, const char *what, size_t n, size_t of)
{
	if (a->tty && of > 0)
		fprintf(stderr, "\r%s %zu of %zu\033[K", what, n, of);
	else if (a->tty)
		fprintf(stderr, "\r%s\033[K", what);
}

/* --- findings ------------------------------------------------------------------------ */

void
audit_finding(struct audit *a, const char *kind, const char *place, const char *node,
	      const char *detail)
{
	struct buf out;

	a->findings++;
	audit_tell(a, "", 0, 0);
	if (!a->json) {
		printf("%-8s %s  node %s%s%s\n", kind, place, *node ? node : "?", *detail ? "  " : "", detail);
		return;
	}
	buf_init(&out, 1 << 20);
	buf_printf(&out, "{\"finding\":\"%s\",\"where\":\"%s\",\"node\":", kind, place);
	buf_json(&out, slice_str(node), 256);
	buf_puts(&out, ",\"detail\":");
	buf_json(&out, slice_str(detail), SIZE_MAX);
	buf_put(&out, "}", 2);
	if (!out.failed)
		puts(out.p);
	buf_fini(&out);
}

/* Prints the run that has been gathered. */
static void
end_run(struct audit *a)
{
	char segment[UUID_TEXT], place[UUID_TEXT + 48];

	if (!a->kind)
		return;
	uuid_text(a->book->segment, segment);
	if (a->first == a->last)
		snprintf(place, sizeof place, "%s:%" PRId64, segment, a->first);
	else
		snprintf(place, sizeof place, "%s:%" PRId64 "-%" PRId64, segment, a->first, a->last);
	audit_finding(a, a->kind, place, a->book->node, a->detail);
	a->kind = NULL;
}

/* Consecutive seqs of one kind become one line. */
static void
found(struct audit *a, const struct book *b, const char *kind, int64_t seq, const char *detail)
{
	if (a->kind && (a->kind != kind || a->book != b || a->detail != detail || seq != a->last + 1))
		end_run(a);
	if (!a->kind)
		a->first = seq;
	a->book = b;
	a->kind = kind;
	a->detail = detail;
	a->last = seq;
}

/* --- single rows of a segment whose counts disagree ------------------------------------- */

struct gaps { int64_t *seqs; char (*fingerprints)[UUID_TEXT]; size_t n; char since[CLOCK_TEXT], until[CLOCK_TEXT]; };

static bool
take_gap(void *arg, const char *const *v)
{
	struct gaps *g = arg;

	g->seqs[g->n++] = strtoll(v[0], NULL, 10);
	return g->n < GAPS_MAX;
}

struct wanted { struct gaps *g; size_t at; };

/* Keeps the fingerprints of the rows that are gaps. */
static bool
take_fingerprint(void *arg, const struct row *r)
{
	struct wanted *w = arg;
	char text[CLOCK_TEXT];

	while (w->at < w->g->n && w->g->seqs[w->at] < r->seq)
		w->at++;
	if (w->at == w->g->n)
		return false;
	if (w->g->seqs[w->at] != r->seq)
		return true;
	uuid_text(r->fingerprint, w->g->fingerprints[w->at]);
	clock_text(r->received_at, text);
	if (!w->g->since[0] || strcmp(text, w->g->since) < 0)
		memcpy(w->g->since, text, sizeof text);
	if (strcmp(text, w->g->until) > 0)
		memcpy(w->g->until, text, sizeof text);
	return true;
}

static enum err
read_fingerprints(const struct audit *a, const struct book *b, struct gaps *g)
{
	struct wanted w = { .g = g };
	struct segment *s;
	char errmsg[256];
	enum err e;

	if (b->journal < 0 || segment_look(&s, a->conf->journal_dir, b->segment, errmsg) != ERR_OK)
		return ERR_OK;
	e = segment_read(s, g->seqs[0] - 1, take_fingerprint, &w);
	segment_close(&s);
	return e == ERR_CORRUPT ? ERR_OK : e;	/* it was told before */
}

/* Forgets the gaps whose fingerprint stands in PostgreSQL: duplicates. */
static bool
drop_gap(void *arg, const char *const *v)
{
	struct gaps *g = arg;
	size_t i;

	for (i = 0; i < g->n; i++)
		if (strcmp(g->fingerprints[i], v[0]) == 0)
			g->seqs[i] = 0;
	return true;
}

static enum err
ask_fingerprints(const struct audit *a, struct gaps *g)
{
	const char *params[LOOKUP_PARAMS] = { NULL, g->since, g->until };
	struct buf list;
	enum err e = ERR_OK;
	size_t i, n = 0;

	buf_init(&list, (BATCH + 1) * (UUID_TEXT + 1));
	for (i = 0; e == ERR_OK && i <= g->n; i++) {
		if (i < g->n && g->fingerprints[i][0])
			buf_printf(&list, "%c%s", n++ ? ',' : '{', g->fingerprints[i]);
		if (n == 0 || (n < BATCH && i < g->n))
			continue;
		buf_put(&list, "}", 2);
		params[0] = list.p;
		e = list.failed ? ERR_NOMEM : lookup_ask(a->lookup, LOOKUP_FINGERPRINTS, params, drop_gap, g);
		buf_reset(&list);
		n = 0;
	}
	buf_fini(&list);
	return e;
}

/* More seqs stand in no table than there are duplicates: those that are none are
 * holes. While the journal has the rows it tells which. */
static enum err
find_holes(struct audit *a, const struct book *b)
{
	static const char doubt[] = "or a duplicate: the journal no longer tells; there are more of these than duplicates";
	static const char beyond[] = "beyond the last row of the journal";
	char segment[UUID_TEXT], upto[24];
	const char *params[LOOKUP_PARAMS] = { uuid_text(b->segment, segment), upto };
	int64_t end = (b->journal > b->highest ? b->journal : b->highest) + GAPS_MAX;
	struct gaps g = { .n = 0 };
	enum err e = ERR_NOMEM;
	size_t i;

	/* progress may say anything, and each seq up to here is looked at */
	snprintf(upto, sizeof upto, "%" PRId64, b->last_seq < end ? b->last_seq : end);

	g.seqs = calloc(GAPS_MAX, sizeof *g.seqs);
	g.fingerprints = calloc(GAPS_MAX, sizeof *g.fingerprints);
	if (g.seqs && g.fingerprints)
		e = lookup_ask(a->lookup, LOOKUP_GAPS, params, take_gap, &g);
	if (e == ERR_OK && g.n > 0 && ((int64_t)g.n > b->duplicates || b->whole)) {
		e = read_fingerprints(a, b, &g);
		if (e == ERR_OK)
			e = ask_fingerprints(a, &g);
		for (i = 0; e == ERR_OK && i < g.n; i++)
			if (g.seqs[i] > 0)
				found(a, b, "hole", g.seqs[i], b->whole && g.seqs[i] > b->journal ? beyond :
				    g.fingerprints[i][0] || b->duplicates == 0 ? "" : doubt);
	}
	free(g.seqs);
	free(g.fingerprints);
	return e;
}

struct single { struct audit *a; const struct book *b; };

static bool
take_double(void *arg, const char *const *v)
{
	struct single *s = arg;

	found(s->a, s->b, "double", strtoll(v[0], NULL, 10), "");
	return true;
}

static bool
take_alien(void *arg, const char *const *v)
{
	struct single *s = arg;

	found(s->a, s->b, "alien", strtoll(v[0], NULL, 10), s->b->progress ? "beyond progress" :
	    "its segment has no progress");
	return true;
}

enum err
audit_look_closer(struct audit *a, const struct book *b)
{
	char segment[UUID_TEXT], last[24], detail[256];
	const char *params[LOOKUP_PARAMS] = { uuid_text(b->segment, segment), last };
	struct single s = { a, b };
	uint64_t before = a->findings;
	enum err e;

	snprintf(last, sizeof last, "%" PRId64, b->last_seq);
	e = lookup_ask(a->lookup, LOOKUP_ALIENS, params, take_alien, &s);
	if (e == ERR_OK)
		e = lookup_ask(a->lookup, LOOKUP_DOUBLES, params, take_double, &s);
	if (e == ERR_OK)
		e = find_holes(a, b);
	end_run(a);
	if (e == ERR_OK && a->findings == before) {
		snprintf(detail, sizeof detail, "progress %" PRId64 " says loaded %" PRId64 " duplicates %" PRId64
		    " quarantined %" PRId64 " rejected %" PRId64 ", the tables hold %" PRId64 " %" PRId64 " %" PRId64,
		    b->last_seq, b->loaded, b->duplicates, b->quarantined, b->rejected, b->events,
		    b->in_quarantine, b->in_rejection);
		audit_finding(a, "books", segment, b->node, detail);
	}
	return e;
}

enum err
audit_duplicates(struct audit *a, const struct book *b)
{
	enum err e = find_holes(a, b);

	end_run(a);
	return e;
}
