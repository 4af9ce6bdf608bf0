/*
 * forebay query: SQL over the journal, with the forms of output of the sqlite3 shell.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cmd.h"

static void
usage(FILE *f)
{
	fputs("usage: forebay query [--timeout SECONDS] [OPTION]... [SQL]...\n"
	    "  --timeout SECONDS   time limit of a statement (30; 0: none)\n"
	    "  --FORM              one of", f);
	form_names(f);
	fputs("\n"
	    "  --header, --noheader, --separator TEXT, --nullvalue TEXT\n"
	    "Without SQL statements come from standard input, and .help tells of some commands.\n"
	    "An option may have one dash. Read-only tables over all segments:\n"
	    "  event      segment seq received_at time key source id type subject fingerprint head\n"
	    "             context payload\n"
	    "  rejection  the same with reason, without fingerprint\n"
	    "  request    segment seq received_at receipt events rejections context\n"
	    "Conditions on received_at, segment, seq, id, type, source are fast where they exclude much:\n"
	    "  forebay query \"select type, count(*) from event\n"
	    "                 where received_at > datetime('now', '-60 seconds') group by 1\"\n"
	    "  forebay query \"select * from event('RECEIPT')\"\n"
	    "exit status: 0; 1 a statement failed; 64 usage, 66 no journal, 77 no right to read\n", f);
}

int
cmd_journal_readable(const char *dir)
{
	if (access(dir, R_OK | X_OK) == 0)
		return EX_OK;
	if (errno == EACCES) {
		fprintf(stderr, "forebay: %s is readable to members of group forebay only; "
		    "join it with `sudo adduser $USER forebay` and log in again\n", dir);
		return EX_NOPERM;
	}
	fprintf(stderr, "forebay: %s: %s; see journal.dir in the settings\n", dir, strerror(errno));
	return EX_NOINPUT;
}

/* Whoever writes the journal comes first: this takes what CPU time is left. It holds
 * nothing that a writer could wait for. */
static void
stand_back(void)
{
	struct sched_param none = { 0 };

	if (sched_setscheduler(0, SCHED_IDLE, &none) != 0 && nice(19) == -1)
		return;		/* then it competes */
}

struct options { struct form *form; const char *timeout; bool help; };

/* Takes one option off the front; false: there is no such option, or its value is missing. */
static bool
take_option(struct options *o, int *argc, char ***argv)
{
	const char *name = **argv + 1 + ((**argv)[1] == '-'), **value = NULL;

	if (strcmp(name, "timeout") == 0)
		value = &o->timeout;
	else if (strcmp(name, "separator") == 0)
		value = &o->form->separator;
	else if (strcmp(name, "nullvalue") == 0)
		value = &o->form->null;
	else if (strcmp(name, "header") == 0 || strcmp(name, "noheader") == 0)
		o->form->header = *name == 'h';
	else if (strcmp(name, "help") == 0)
		o->help = true;
	else if (!form_named(name, &o->form->kind))
		return false;
	if (value && *argc < 2)
		return false;
	if (value)
		*value = (*argv)[1];
	*argc -= 1 + (value != NULL);
	*argv += 1 + (value != NULL);
	return true;
}

/* EX_OK: argc and argv are the statements that are left. */
static int
take_options(struct options *o, int *argc, char ***argv)
{
	for (--*argc, ++*argv; *argc > 0 && (**argv)[0] == '-' && (**argv)[1] != '\0'; ) {
		if (strcmp(**argv, "--") == 0) {
			--*argc, ++*argv;
			break;
		}
		if (!take_option(o, argc, argv)) {
			fprintf(stderr, "forebay query: %s: no such option, or its value is missing; --help lists them\n", **argv);
			return EX_USAGE;
		}
	}
	return EX_OK;
}

static bool
seconds(const char *text, int64_t *ms)
{
	char *end;
	long n = strtol(text, &end, 10);

	*ms = n * INT64_C(1000);
	return end != text && *end == '\0' && n >= 0 && n < 1000000000;
}

static int
ask(struct ask *a, const char *dir, int64_t limit_ms, int argc, char **argv)
{
	char errmsg[256];
	bool good = true;
	enum err e = query_open(&a->query, dir, limit_ms, errmsg);

	if (e != ERR_OK) {
		fprintf(stderr, "forebay: %s\n", errmsg);
		return EX_OSERR;
	}
	if (argc == 0)
		good = ask_stream(a, stdin, isatty(STDIN_FILENO));
	for (; good && argc > 0 && !a->quit; argc--, argv++)
		good = ask_text(a, *argv);
	query_close(&a->query);
	return good ? EX_OK : 1;
}

int
cmd_query(const struct conf_args *args, int argc, char **argv)
{
	struct ask a = { .query = NULL };
	struct options o = { .form = &a.form, .timeout = "30" };
	const struct conf *conf;
	int64_t limit_ms;
	int status;

	form_init(&a.form);
	if (isatty(STDOUT_FILENO))
		a.form.kind = FORM_BOX;
	status = take_options(&o, &argc, &argv);
	if (o.help) {
		usage(stdout);
		return EX_OK;
	}
	if (status != EX_OK)
		return status;
	if (!seconds(o.timeout, &limit_ms)) {
		usage(stderr);
		return EX_USAGE;
	}
	conf = cmd_conf(args);
	status = cmd_journal_readable(conf->journal_dir);
	if (status != EX_OK)
		return status;
	stand_back();
	status = ask(&a, conf->journal_dir, limit_ms, argc, argv);
	form_fini(&a.form);
	return status;
}
