#include "cli/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/dir.h"
#include "journal/segment.h"

#define READ_ROWS	20000		/* of the journal at a time: a live segment is not pinned */

static struct book *
new_book(struct audit *a)
{
	struct book *more;

	if (a->n == a->room) {
		more = realloc(a->books, (a->room + 1024) * sizeof *more);
		if (!more)
			return NULL;
		a->books = more;
		a->room += 1024;
	}
	more = &a->books[a->n++];
	memset(more, 0, sizeof *more);
	more->journal = -1;
	return more;
}

static bool
take_book(void *arg, const char *const *v)
{
	struct audit *a = arg;
	struct book *b = new_book(a);
	int64_t *const numbers[] = {
		NULL, NULL, &b->last_seq, &b->loaded, &b->duplicates, &b->quarantined, &b->rejected,
		&b->events, &b->distinct, &b->both, &b->lowest, &b->highest, &b->in_quarantine, &b->in_rejection,
	};
	size_t i;

	if (!b || !uuid_parse(v[0], strlen(v[0]), &b->segment)) {
		a->failed = ERR_NOMEM;
		return false;
	}
	b->progress = v[1] != NULL;
	snprintf(b->node, sizeof b->node, "%s", v[1] ? v[1] : "");
	for (i = 2; i < ARRAY_SIZE(numbers); i++)
		*numbers[i] = v[i] ? strtoll(v[i], NULL, 10) : 0;
	snprintf(b->first_at, sizeof b->first_at, "%s", v[14] ? v[14] : "");
	if (a->n % 1000 == 0)
		audit_tell(a, "PostgreSQL: segments", a->n, a->n);
	return true;
}

static int
by_segment(const void *x, const void *y)
{
	return memcmp(&((const struct book *)x)->segment, &((const struct book *)y)->segment, sizeof(struct uuid));
}

struct reading { int64_t seq; unsigned n; };

static bool
count_row(void *arg, const struct row *r)
{
	struct reading *at = arg;

	at->seq = r->seq;
	return ++at->n % READ_ROWS != 0;
}

/* Reads every row: seqs without a hole, and the checksums. */
static enum err
read_segment(struct segment *s, int64_t *last)
{
	struct reading at = { .seq = 0 };
	enum err e;
	unsigned before;

	do {
		before = at.n;
		e = segment_read(s, at.seq, count_row, &at);
	} while (e == ERR_OK && at.n > before && at.n % READ_ROWS == 0);
	*last = at.seq;
	return e;
}

/* The books of PostgreSQL, the first n, are sorted by segment. */
static enum err
read_one(struct audit *a, struct uuid uuid, size_t n)
{
	struct book key = { .segment = uuid }, *b;
	char text[UUID_TEXT], errmsg[256] = "";
	struct segment *s;
	int64_t last = 0;
	enum err e = segment_look(&s, a->conf->journal_dir, uuid, errmsg);

	if (e == ERR_DOWN)		/* loaded and removed meanwhile */
		return ERR_OK;
	if (e == ERR_OK) {
		e = read_segment(s, &last);
		snprintf(errmsg, sizeof errmsg, "%s", segment_errmsg(s));
		segment_close(&s);
	}
	b = n > 0 ? bsearch(&key, a->books, n, sizeof key, by_segment) : NULL;
	if (!b && !(b = new_book(a)))
		return ERR_NOMEM;
	b->segment = uuid;
	b->journal = last;
	b->whole = e == ERR_OK;
	if (!b->node[0])		/* not in PostgreSQL yet: of this node, as forebayd names it */
		snprintf(b->node, sizeof b->node, "%s", a->conf->journal_node);
	if (!b->node[0] && gethostname(b->node, sizeof b->node - 1) != 0)
		snprintf(b->node, sizeof b->node, "unknown");
	if (e == ERR_CORRUPT || e == ERR_SETUP) {
		audit_finding(a, "damaged", uuid_text(uuid, text), b->node, errmsg);
		e = ERR_OK;
	} else if (e != ERR_OK) {
		fprintf(stderr, "forebay audit: segment %s: %s\n", uuid_text(uuid, text), errmsg);
	}
	return e;
}

static enum err
read_journal(struct audit *a)
{
	struct dir_segment *list;
	size_t i, n, books = a->n;
	enum err e = dir_list(a->conf->journal_dir, &list, &n);

	if (e != ERR_OK)
		return e;
	for (i = 0; e == ERR_OK && i < n; i++) {
		audit_tell(a, "journal: segment", i + 1, n);
		if (list[i].born)
			e = read_one(a, list[i].uuid, books);
	}
	free(list);
	return e;
}

static bool
take_oldest(void *arg, const char *const *v)
{
	struct audit *a = arg;

	snprintf(a->oldest, sizeof a->oldest, "%s", v[0] ? v[0] : "");
	snprintf(a->rejections, sizeof a->rejections, "%s", v[1] ? v[1] : "");
	return true;
}

enum err
audit_gather(struct audit *a)
{
	enum err e = lookup_freeze(a->lookup);

	audit_tell(a, "PostgreSQL: counting", 0, 0);
	if (e == ERR_OK)
		e = lookup_ask(a->lookup, LOOKUP_OLDEST, NULL, take_oldest, a);
	if (e == ERR_OK)
		e = lookup_ask(a->lookup, LOOKUP_BOOKS, NULL, take_book, a);
	if (e == ERR_OK)
		e = a->failed;
	return e == ERR_OK ? read_journal(a) : e;
}
