#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <pwd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/keyfile.h"
#include "cli/cmd.h"
#include "sink/conninfo.h"

/* What of it may be told: no password. */
static const char *
shown(const struct conf *conf, const struct conf_param *p, char *out, size_t n)
{
	if (strcmp(p->section, "flush") != 0 || strcmp(p->key, "conninfo") != 0)
		return conf_value(conf, p, out, n);
	conninfo_show(conf->flush_conninfo, out, n);
	return out;
}

static void
show_text(const struct conf *conf)
{
	const char *section = "";
	char value[2100];
	size_t i;

	for (i = 0; i < conf_n_params; i++) {
		if (strcmp(section, conf_params[i].section) != 0) {
			printf("%s[%s]\n", *section ? "\n" : "", conf_params[i].section);
			section = conf_params[i].section;
		}
		printf("%s = %s\n", conf_params[i].key,
		    shown(conf, &conf_params[i], value, sizeof value));
	}
}

static int
show_json(const struct conf *conf)
{
	char value[2100];
	struct buf b;
	size_t i;
	bool failed;

	buf_init(&b, 1 << 20);
	for (i = 0; i < conf_n_params; i++) {
		buf_printf(&b, "%c\"%s.%s\":", i ? ',' : '{', conf_params[i].section, conf_params[i].key);
		buf_json(&b, slice_str(shown(conf, &conf_params[i], value, sizeof value)), sizeof value);
	}
	buf_put(&b, "}", 2);	/* with the NUL */
	failed = b.failed;
	if (!failed)
		puts(b.p);
	buf_fini(&b);
	return failed ? EX_SOFTWARE : EX_OK;
}

/* What the table cannot say: does the named user exist? */
static int
check_peer(const struct conf *conf)
{
	if (conf->collect_peer[0] == '\0' || getpwnam(conf->collect_peer))
		return EX_OK;
	fprintf(stderr, "collect.peer: there is no user \"%s\"; expected the user that nginx runs as\n",
	    conf->collect_peer);
	return EX_CONFIG;
}

/* A file that is not there yet, or is not for this user, is no fault of the settings. */
static int
check_keys(const struct conf *conf)
{
	struct keyfile keys;
	char errmsg[256];

	if (conf->collect_keys[0] == '\0' || access(conf->collect_keys, R_OK) != 0)
		return EX_OK;
	if (keyfile_read(&keys, conf->collect_keys, errmsg) != ERR_OK) {
		fprintf(stderr, "collect.keys: %s\n", errmsg);
		return EX_CONFIG;
	}
	keyfile_free(&keys);
	return EX_OK;
}

static int
check_conninfo(const struct conf *conf)
{
	if (conninfo_good(conf->flush_conninfo))
		return EX_OK;
	fprintf(stderr, "flush.conninfo: libpq does not take it; expected key=value words, a URI, or a database's name\n");
	return EX_CONFIG;
}

static const char usage[] =
    "usage: forebay check-config [--show | --example] [--json]\n"
    "Says whether the settings, and the file of write keys, are good.\n"
    "  --show     those in force, with defaults; *** for a password\n"
    "  --json     the same as one JSON object\n"
    "  --example  a file with every setting and its text\n"
    "exit status: 0; 64 usage; 78 they are not, and what is wrong is on standard error\n";

int
cmd_check_config(const struct conf_args *args, int argc, char **argv)
{
	bool show = false, example = false, json = false;
	const struct cmd_option options[] = {
		{ "show", 0, &show, NULL }, { "example", 0, &example, NULL }, { "json", 0, &json, NULL },
		{ NULL, 0, NULL, NULL },
	};
	int status = cmd_options(&argc, &argv, options, usage);
	const struct conf *conf;

	if (status >= 0)
		return status;
	if (argc > 0 || (example && (show || json)))
		return cmd_usage(usage);
	if (example) {
		conf_example(stdout);
		return EX_OK;
	}
	conf = cmd_conf(args);
	status = check_peer(conf);
	if (status == EX_OK)
		status = check_keys(conf);
	if (status == EX_OK)
		status = check_conninfo(conf);
	if (status != EX_OK)
		return status;
	if (json)
		return show_json(conf);
	if (show)
		show_text(conf);
	else
		puts("ok");
	return EX_OK;
}
