/*
 * The verbs of `forebay`: one file each, all of this shape. argv[0] is the verb;
 * the result is an exit status of sysexits.h. --json: for programs to read. Settings
 * are read by the verb, when it knows that it needs them: --help never does.
 */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include <stdbool.h>

#include "base/conf.h"

int cmd_audit(const struct conf_args *, int argc, char **argv);
int cmd_check_config(const struct conf_args *, int argc, char **argv);
int cmd_db(const struct conf_args *, int argc, char **argv);
int cmd_key(const struct conf_args *, int argc, char **argv);
int cmd_query(const struct conf_args *, int argc, char **argv);
int cmd_salvage(const struct conf_args *, int argc, char **argv);
int cmd_stats(const struct conf_args *, int argc, char **argv);
int cmd_tail(const struct conf_args *, int argc, char **argv);
int cmd_where(const struct conf_args *, int argc, char **argv);

/* The settings, read at the first call; bad or unreadable ones end the program. */
const struct conf *cmd_conf(const struct conf_args *);

/* An option: --name, -letter, or both; it sets *flag, or *value to its argument. */
struct cmd_option { const char *name; char letter; bool *flag; const char **value; };

/*
 * Reads the options of a verb, which an empty one ends, and --help. -1: argc and argv
 * are what is left; else the exit status, and usage has been printed.
 */
int cmd_options(int *argc, char ***argv, const struct cmd_option *, const char *usage);
int cmd_usage(const char *usage);	/* to standard error: EX_USAGE */

/* Says in one sentence what is in the way of reading the journal; EX_OK: nothing. */
int cmd_journal_readable(const char *dir);

#endif
