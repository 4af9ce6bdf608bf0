/*
 * forebay: the operators' command. A table of verbs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/clean.h"
#include "cli/cmd.h"
#include "config.h"

static const struct verb {
	const char *name, *args, *what;
	int (*run)(const struct conf_args *, int argc, char **argv);
} verbs[] = {
	{ "audit", "[--segments] [--json] [--conninfo CONNINFO]",
	  "is every row accounted for, once? names holes, doubles and aliens", cmd_audit },
	{ "check-config", "[--show | --example] [--json]",
	  "check the settings; show those in force, or write the example file", cmd_check_config },
	{ "db", "migrate [--dry-run] [--json] [--conninfo CONNINFO]",
	  "bring the schema in PostgreSQL up to this version", cmd_db },
	{ "key", "new [--json] [--name NAME] [--origins ORIGIN,...] SOURCE",
	  "make a write key for a source; it is printed once", cmd_key },
	{ "query", "[--timeout SECONDS] [OPTION]... [SQL]...",
	  "SQL over the journal: tables event, rejection, request", cmd_query },
	{ "salvage", "[--json]",
	  "bring what can be read of segments that were set aside into the journal", cmd_salvage },
	{ "stats", "[--cost] [--json]",
	  "rates, events by source and type, counters, the journal's size; what it costs on AWS", cmd_stats },
	{ "tail", "[-f] [-n LINES] [--type T] [--source S] [--text T] [--rejected] [--json]",
	  "the newest events of the journal, and those that come", cmd_tail },
	{ "where", "[--json] [--conninfo CONNINFO] RECEIPT|ID",
	  "what became of events: in the journal, in PostgreSQL", cmd_where },
};

static void
usage(FILE *f)
{
	const struct verb *v;

	fputs("usage: forebay [-c FILE] [-o SECTION.KEY=VALUE]... VERB [ARGUMENT]...\n"
	    "       forebay --version | --help\n\n", f);
	for (v = verbs; v < verbs + ARRAY_SIZE(verbs); v++)
		fprintf(f, "  %s %s\n      %s\n", v->name, v->args, v->what);
	fputs("\nVERB --help says more. Exit status: 0; 1 where a verb has found something amiss; else as\n"
	    "in sysexits.h: 64 usage, 65 input, 66 no journal, 69 a service is missing, 70 a bug,\n"
	    "71 the system, 74 input or output, 75 try again, 77 no right, 78 settings.\n", f);
}

static struct conf *settings;

const struct conf *
cmd_conf(const struct conf_args *args)
{
	if (!settings) {
		settings = conf_load_or_exit(args);
		log_init("forebay", log_level_parse(settings->log_level));
	}
	return settings;
}

static int
run(const struct verb *v, const struct conf_args *args, int argc, char **argv)
{
	int status = v->run(args, argc, argv);

	conf_free(&settings);
	if (fflush(stdout) != 0 && status == EX_OK)
		status = EX_IOERR;
	return status;
}

int
main(int argc, char **argv)
{
	struct conf_args args = { .path = NULL };
	const struct verb *v;
	int opt;

	clean_terminal();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("forebay " PACKAGE_VERSION);
		return EX_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return EX_OK;
	}
	while ((opt = getopt(argc, argv, "+c:o:")) != -1)	/* +: stop at the verb */
		if (!conf_arg(&args, opt, optarg)) {
			usage(stderr);
			return EX_USAGE;
		}
	for (v = verbs; optind < argc && v < verbs + ARRAY_SIZE(verbs); v++)
		if (strcmp(argv[optind], v->name) == 0)
			return run(v, &args, argc - optind, argv + optind);
	usage(stderr);
	return EX_USAGE;
}
