/*
 * forebay audit: is every row accounted for, once? For each segment
 *
 *   max(last seq, progress) = loaded + duplicates + quarantined + rejected + pending
 *
 * with the rows in PostgreSQL counted and the journal's read, one by one, checksums
 * and all. Only where the counts disagree are single rows asked for.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/audit.h"
#include "cli/cmd.h"

/* --- the books ---------------------------------------------------------------------------- */

/* Those of a segment that is older than the oldest that stands, and than the day that they
 * stand at least, may have been deleted since. */
static bool
rejections_fit(const struct audit *a, const struct book *b)
{
	int64_t born = uuid_time(b->segment);
	char text[CLOCK_TEXT];

	if (b->in_rejection >= b->rejected || born >= clock_us() - US_PER_DAY)
		return b->in_rejection == b->rejected;
	return !a->rejections[0] || strcmp(clock_text(born, text), a->rejections) < 0;
}

static bool
balanced(const struct audit *a, const struct book *b)
{
	return b->last_seq == b->loaded + b->duplicates + b->quarantined + b->rejected &&
	    b->events == b->loaded && b->distinct == b->events && b->both == 0 &&
	    b->in_quarantine == b->quarantined && rejections_fit(a, b) &&
	    (b->events == 0 || (b->lowest >= 1 && b->highest <= b->last_seq));
}

/* Rows of days whose partitions were dropped since cannot be counted any more: the
 * segment was born before the oldest day there is, and what is left begins on that day. */
static bool
was_dropped(const struct audit *a, const struct book *b)
{
	char born[CLOCK_TEXT];

	if (!b->progress || !a->oldest[0] || b->events > b->loaded || b->in_rejection > b->rejected)
		return false;
	return strcmp(clock_text(uuid_time(b->segment), born), a->oldest) < 0 &&
	    (b->events == 0 || strncmp(b->first_at, a->oldest, strlen("2026-11-20")) == 0);
}

static enum err
check_book(struct audit *a, const struct book *b)
{
	if (!b->progress && b->events == 0)
		return ERR_OK;		/* all of it is pending */
	if (balanced(a, b))
		return b->whole && b->duplicates > 0 ? audit_duplicates(a, b) : ERR_OK;
	if (was_dropped(a, b)) {
		a->dropped++;
		return ERR_OK;
	}
	return audit_look_closer(a, b);
}

static bool
take_unguarded(void *arg, const char *const *v)
{
	audit_finding(arg, "index", v[0], "", "nothing keeps its fingerprints unique");
	return true;
}

static bool
take_twins(void *arg, const char *const *v)
{
	char detail[512];

	snprintf(detail, sizeof detail, "in %.100s, fingerprint %.36s", v[0], v[1]);
	audit_finding(arg, "double", v[2], "", detail);
	return true;
}

static enum err
check(struct audit *a)
{
	uint64_t before;
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; e == ERR_OK && i < a->n; i++) {
		if (i % 1000 == 0)
			audit_tell(a, "checking segment", i + 1, a->n);
		e = check_book(a, &a->books[i]);
	}
	before = a->findings;
	if (e == ERR_OK)
		e = lookup_ask(a->lookup, LOOKUP_UNGUARDED, NULL, take_unguarded, a);
	if (e == ERR_OK && a->findings > before)
		e = lookup_ask(a->lookup, LOOKUP_TWINS, NULL, take_twins, a);
	audit_tell(a, "", 0, 0);
	return e;
}

/* --- the report ------------------------------------------------------------------------------ */

static int64_t
pending(const struct book *b)
{
	return b->journal > b->last_seq ? b->journal - b->last_seq : 0;
}

static void
add(struct book *sum, const struct book *b)
{
	sum->last_seq += b->last_seq + pending(b);
	sum->loaded += b->loaded;
	sum->duplicates += b->duplicates;
	sum->quarantined += b->quarantined;
	sum->rejected += b->rejected;
	sum->journal += pending(b);	/* of a sum: what is pending */
	sum->events++;			/* of a sum: segments */
}

static void
print_line(const struct audit *a, const char *what, const char *name, const struct book *sum)
{
	if (a->json) {
		printf("{\"%s\":\"%s\",\"segments\":%" PRId64 ",\"rows\":%" PRId64 ",\"loaded\":%" PRId64
		    ",\"duplicates\":%" PRId64 ",\"quarantined\":%" PRId64 ",\"rejected\":%" PRId64
		    ",\"pending\":%" PRId64 "}\n", what, name, sum->events, sum->last_seq, sum->loaded,
		    sum->duplicates, sum->quarantined, sum->rejected, sum->journal);
		return;
	}
	printf("%-36s %8" PRId64 " %12" PRId64 " = %12" PRId64 " %10" PRId64 " %11" PRId64 " %8" PRId64 " %9"
	    PRId64 "\n", name, sum->events, sum->last_seq, sum->loaded, sum->duplicates, sum->quarantined,
	    sum->rejected, sum->journal);
}

static int
by_node(const void *x, const void *y)
{
	const struct book *a = x, *b = y;
	int d = strcmp(a->node, b->node);

	return d != 0 ? d : memcmp(&a->segment, &b->segment, sizeof a->segment);
}

static void
report(struct audit *a)
{
	struct book node, total = { .journal = 0 };
	char text[UUID_TEXT];
	size_t i, from;

	if (!a->json)
		printf("%-36s %8s %12s = %12s %10s %11s %8s %9s\n", a->segments ? "segment, node" : "node",
		    "segments", "rows", "loaded", "duplicates", "quarantined", "rejected", "pending");
	if (a->n > 0)
		qsort(a->books, a->n, sizeof *a->books, by_node);
	for (from = 0; from < a->n; from = i) {
		memset(&node, 0, sizeof node);
		for (i = from; i < a->n && strcmp(a->books[i].node, a->books[from].node) == 0; i++) {
			struct book one = { .journal = 0 };

			add(&one, &a->books[i]);
			add(&node, &a->books[i]);
			if (a->segments || a->json)
				print_line(a, "segment", uuid_text(a->books[i].segment, text), &one);
		}
		print_line(a, "node", a->books[from].node[0] ? a->books[from].node : "?", &node);
		for (; from < i; from++)
			add(&total, &a->books[from]);
	}
	print_line(a, "total", "total", &total);
	if (a->dropped > 0 && !a->json)
		printf("%" PRIu64 " segments had rows in partitions that have been dropped since: not counted row by row\n",
		    a->dropped);
	if (!a->json && a->findings == 0)
		printf("clean: every row is accounted for, once\n");
	else if (!a->json)
		printf("%" PRIu64 " findings\n", a->findings);
}

static int
audit(struct audit *a, const char *conninfo)
{
	char errmsg[1024];
	int status = cmd_journal_readable(a->conf->journal_dir);
	enum err e;

	if (status != EX_OK)
		return status;
	e = lookup_open(&a->lookup, a->conf, conninfo, 0, errmsg);
	if (e != ERR_OK) {
		fprintf(stderr, "forebay audit: %s\n", errmsg);
		return EX_UNAVAILABLE;
	}
	e = audit_gather(a);
	if (e == ERR_OK)
		e = check(a);
	if (e == ERR_OK)
		report(a);
	else
		fprintf(stderr, "forebay audit: not finished: %s %s\n", err_name(e), lookup_errmsg(a->lookup));
	lookup_close(&a->lookup);
	free(a->books);
	if (e != ERR_OK)
		return e == ERR_SETUP ? EX_NOPERM : e == ERR_DOWN ? EX_UNAVAILABLE : err_exit(e);
	return a->findings == 0 ? EX_OK : 1;
}

static const char usage[] =
    "usage: forebay audit [--segments] [--json] [--conninfo CONNINFO]\n"
	    "Is every row accounted for, once? Reads this journal whole and counts the rows in\n"
	    "PostgreSQL; names segment and seq of what is wrong:\n"
	    "  hole     progress covers it but no table has it\n"
	    "  double   it stands twice, or its fingerprint does on one day\n"
	    "  alien    in forebay.event, but progress does not cover it\n"
	    "  books    the numbers of a progress row do not fit each other or the tables\n"
	    "  index    a partition without its unique index\n"
	    "  damaged  a segment of the journal cannot be read whole\n"
	    "  --segments  a line for each segment, not only for each node\n"
	    "  --json      one JSON object a line: findings, segments, nodes, total\n"
	    "Pending rows are those of this machine's journal.\n"
	    "exit status: 0 clean; 1 findings; 64 usage; 66 no journal; 69 no PostgreSQL;\n"
	    "75 could not be finished; 77 no right to read\n";

int
cmd_audit(const struct conf_args *args, int argc, char **argv)
{
	struct audit a = { .tty = isatty(STDERR_FILENO) };
	const char *conninfo = NULL;
	const struct cmd_option options[] = {
		{ "conninfo", 0, NULL, &conninfo }, { "json", 0, &a.json, NULL },
		{ "segments", 0, &a.segments, NULL }, { NULL, 0, NULL, NULL },
	};
	int status = cmd_options(&argc, &argv, options, usage);

	if (status >= 0)
		return status;
	if (argc > 0)
		return cmd_usage(usage);
	a.conf = cmd_conf(args);
	return audit(&a, conninfo);
}
