#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "cli/cmd.h"

#define OPTIONS_MAX	8	/* of a verb */
#define HELP		(OPTIONS_MAX + 1)

/* What getopt calls it: its letter, or its number from 1 on. */
static int
code(const struct cmd_option *all, const struct cmd_option *o)
{
	return o->letter ? o->letter : (int)(o - all) + 1;
}

int
cmd_options(int *argc, char ***argv, const struct cmd_option *all, const char *usage)
{
	struct option longs[OPTIONS_MAX + 2] = { { "help", no_argument, NULL, HELP } }, *l = longs + 1;
	char letters[2 * OPTIONS_MAX + 1] = "", *s = letters;
	const struct cmd_option *o;
	int opt;

	for (o = all; o->flag || o->value; o++) {
		CHECK(o - all < OPTIONS_MAX);
		if (o->name)
			*l++ = (struct option){ o->name, o->value ? required_argument : no_argument, NULL, code(all, o) };
		if (o->letter)
			*s++ = o->letter;
		if (o->letter && o->value)
			*s++ = ':';
	}
	optind = 0;			/* main() has used getopt before */
	while ((opt = getopt_long(*argc, *argv, letters, longs, NULL)) != -1) {
		for (o = all; (o->flag || o->value) && code(all, o) != opt; o++)
			;
		if (o->value) {
			*o->value = optarg;
		} else if (o->flag) {
			*o->flag = true;
		} else {
			fputs(usage, opt == HELP ? stdout : stderr);
			return opt == HELP ? EX_OK : EX_USAGE;
		}
	}
	*argc -= optind;
	*argv += optind;
	return -1;
}

int
cmd_usage(const char *usage)
{
	fputs(usage, stderr);
	return EX_USAGE;
}
