/*
 * forebay query: the sqlite3 shell with the journal's tables in it.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cmd.h"

#define EXTENSION	PKGLIBDIR "/forebay_journal.so"

static void
usage(FILE *f)
{
	fputs("usage: forebay query [--timeout SECONDS] [SQLITE3-OPTION]... [SQL]\n"
	    "  --timeout SECONDS  time limit of a statement (30; 0: none)\n"
	    "The sqlite3 shell, with SQL or interactive; its options choose the form of the output:\n"
	    "-box -csv -header -json -line -markdown ... Read-only tables over all segments:\n"
	    "  event      segment seq received_at time key source id type subject fingerprint head\n"
	    "             context payload\n"
	    "  rejection  the same with reason, without fingerprint\n"
	    "  request    segment seq received_at receipt events rejections context\n"
	    "Conditions on received_at, segment, seq, id, type, source are fast where they exclude much:\n"
	    "  forebay query \"select type, count(*) from event\n"
	    "                 where received_at > datetime('now', '-60 seconds') group by 1\"\n"
	    "  forebay query \"select * from event('RECEIPT')\"\n"
	    "exit status: the shell's, 0 or 1; 64 usage, 66 no journal, 69 no sqlite3, 77 no right to read\n", f);
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

/* Takes --timeout off the front; false: bad usage. */
static bool
take_timeout(int *argc, char ***argv, const char **timeout)
{
	char *end;

	if (*argc < 2 || strcmp((*argv)[1], "--timeout") != 0)
		return true;
	if (*argc < 3)
		return false;
	*timeout = (*argv)[2];
	*argc -= 2;
	*argv += 2;
	return strtol(*timeout, &end, 10) >= 0 && end != *timeout && *end == '\0';
}

/* The shell's own words come first, so that the user's options have the last. -safe
 * comes after the extension is in: it forbids other files, programs and extensions. */
static int
run_shell(const char *extension, int argc, char **argv)
{
	static char shell[] = "sqlite3", memory[] = ":memory:", cmd[] = "-cmd", safe[] = "-safe",
	    box[] = "-box", room[] = "pragma cache_size = -65536";	/* KiB, to sort in */
	char load[1100];
	char *fixed[] = { shell, memory, cmd, load, cmd, room, safe, isatty(STDOUT_FILENO) ? box : NULL };
	int n = fixed[7] ? 8 : 7;
	char **words = calloc((size_t)(n + argc), sizeof *words);

	if (!words)
		return EX_OSERR;
	snprintf(load, sizeof load, ".load '%s'", extension);
	memcpy(words, fixed, (size_t)n * sizeof *words);
	memcpy(words + n, argv + 1, (size_t)(argc - 1) * sizeof *words);
	execvp(shell, words);
	fprintf(stderr, "forebay: sqlite3, the shell, cannot be run: %s (Debian: apt install sqlite3)\n",
	    strerror(errno));
	free(words);
	return EX_UNAVAILABLE;
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

int
cmd_query(const struct conf_args *args, int argc, char **argv)
{
	const char *timeout = "30", *extension = getenv("FOREBAY_EXTENSION");
	const struct conf *conf;
	int status;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return EX_OK;
	}
	if (!take_timeout(&argc, &argv, &timeout)) {
		usage(stderr);
		return EX_USAGE;
	}
	conf = cmd_conf(args);
	status = cmd_journal_readable(conf->journal_dir);
	if (status != EX_OK)
		return status;
	if (!extension)
		extension = EXTENSION;
	if (access(extension, R_OK) != 0) {
		fprintf(stderr, "forebay: %s: %s\n", extension, strerror(errno));
		return EX_UNAVAILABLE;
	}
	if (setenv("FOREBAY_JOURNAL_DIR", conf->journal_dir, 1) != 0 ||
	    setenv("FOREBAY_QUERY_TIMEOUT", timeout, 1) != 0)
		return EX_OSERR;
	stand_back();
	return run_shell(extension, argc, argv);
}
