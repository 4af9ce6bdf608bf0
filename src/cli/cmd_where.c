/*
 * forebay where RECEIPT|ID: what became of it, from the journal and from PostgreSQL.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "cli/cmd.h"
#include "cli/where.h"
#include "journal/receipt.h"

#define ROWS_MAX	100000		/* the largest request there can be */

static bool
alike(const struct item *a, const struct item *b)
{
	return a->state == b->state && a->seq + 1 == b->seq && strcmp(a->detail, b->detail) == 0 &&
	    memcmp(&a->segment, &b->segment, sizeof a->segment) == 0 &&
	    strcmp(a->received_at, b->received_at) == 0 && strcmp(a->since, b->since) == 0;
}

static void
print_json(const struct item *a, const struct item *b)
{
	char segment[UUID_TEXT];
	struct buf out;

	buf_init(&out, 4096);
	buf_printf(&out, "{\"segment\":\"%s\",\"first\":%" PRId64 ",\"last\":%" PRId64 ",\"state\":\"%s\"",
	    uuid_text(a->segment, segment), a->seq, b->seq, where_states[a->state]);
	if (a->received_at[0])
		buf_printf(&out, ",\"received_at\":\"%s\"", a->received_at);
	if (a->since[0])
		buf_printf(&out, ",\"since\":\"%s\"", a->since);
	if (a->detail[0]) {
		buf_puts(&out, ",\"detail\":");
		buf_json(&out, slice_str(a->detail), sizeof a->detail);
	}
	buf_put(&out, "}", 2);
	puts(out.failed ? "" : out.p);
	buf_fini(&out);
}

static void
print_text(const struct item *a, const struct item *b)
{
	char segment[UUID_TEXT];

	printf("%s:%" PRId64, uuid_text(a->segment, segment), a->seq);
	if (b > a)
		printf("-%" PRId64, b->seq);
	printf("  %s", where_states[a->state]);
	if (a->received_at[0])
		printf("  received %s", a->received_at);
	if (a->since[0] && strcmp(a->since, a->received_at) != 0)
		printf("  since %s", a->since);
	printf("%s%s\n", a->detail[0] ? "  " : "", a->detail);
}

static int
print(struct search *s)
{
	const struct item *a, *b, *end = s->items + s->n;
	int status = s->n == 0 ? 1 : EX_OK;

	for (a = s->items; a < end; a = b + 1) {
		for (b = a; b + 1 < end && alike(b, b + 1); b++)
			;
		if (a->state <= MISSING)
			status = 1;
		if (s->json)
			print_json(a, b);
		else
			print_text(a, b);
	}
	if (s->n == 0)
		printf(s->json ? "{\"state\":\"unknown\"}\n" : "unknown\n");
	if (s->trouble[0]) {
		fprintf(stderr, "forebay where: PostgreSQL could not be asked everything: %s\n", s->trouble);
		status = EX_UNAVAILABLE;
	}
	return status;
}

static int
find(struct search *s)
{
	struct receipt r;
	char errmsg[256];
	int64_t n;
	enum err e;

	s->by_receipt = receipt_parse(s->what, strlen(s->what), &r);
	s->room = s->by_receipt ? (size_t)(r.last - r.first) + 1 : 1000;
	if (s->room > ROWS_MAX) {
		fprintf(stderr, "forebay where: no request has more than %d events\n", ROWS_MAX);
		return EX_USAGE;
	}
	s->items = calloc(s->room, sizeof *s->items);
	if (!s->items)
		return EX_OSERR;
	for (n = 0; s->by_receipt && n < (int64_t)s->room; n++)
		s->items[s->n++] = (struct item){ .segment = r.segment, .seq = r.first + n };
	e = where_ask_journal(s, errmsg);
	if (e != ERR_OK) {
		fprintf(stderr, "forebay where: the journal: %s\n", errmsg);
		return err_exit(e);
	}
	where_ask_postgres(s);
	return print(s);
}

static const char usage[] =
    "usage: forebay where [--json] [--conninfo CONNINFO] RECEIPT|ID\n"
	    "What became of the events of a receipt (SEGMENT:FIRST-LAST), or of those with an id:\n"
	    "  journaled    in the journal, not in PostgreSQL yet\n"
	    "  loaded       in forebay.event\n"
	    "  duplicate    an event with its fingerprint stands there already; said, if its payload is another\n"
	    "  quarantined  PostgreSQL refused it; it stands in forebay.quarantine\n"
	    "  rejected     refused at the door\n"
	    "  settled      loaded or a duplicate; which, cannot be told any more or was not answered\n"
	    "  missing      progress covers it but no table has it: see forebay audit\n"
	    "  unknown      neither here nor in PostgreSQL\n"
	    "An id that is not in this journal is looked for in all of forebay.event, for a minute.\n"
	    "exit status: 0 found; 1 something is unknown or missing; 64 usage; 66 no journal;\n"
	    "69 PostgreSQL could not be asked (what the journal knows is printed); 77 no right to read\n";

int
cmd_where(const struct conf_args *args, int argc, char **argv)
{
	struct search s = { .conf = NULL };
	const struct cmd_option options[] = {
		{ "conninfo", 0, NULL, &s.conninfo }, { "json", 0, &s.json, NULL }, { NULL, 0, NULL, NULL },
	};
	int status = cmd_options(&argc, &argv, options, usage);

	if (status >= 0)
		return status;
	if (argc != 1 || !*argv[0])
		return cmd_usage(usage);
	s.what = argv[0];
	s.conf = cmd_conf(args);
	status = cmd_journal_readable(s.conf->journal_dir);
	if (status == EX_OK)
		status = find(&s);
	free(s.items);
	return status;
}
