/*
 * forebay db migrate: makes or renews the schema in PostgreSQL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "cli/cmd.h"
#include "sink/schema.h"

struct report { bool json, dry_run; unsigned present, changed; };

static const char usage[] =
    "usage: forebay db migrate [--dry-run] [--json] [--retention TIME] [--conninfo CONNINFO]\n"
    "Brings the schema in PostgreSQL up to this version.\n"
    "  --conninfo CONNINFO  connect so, as the database's owner or a superuser; default: flush.conninfo\n"
    "  --retention TIME     let flushers drop days of events that are older, as 90d; 0: none, as at first\n"
    "  --dry-run            say what would be applied\n"
    "  --json               one JSON object on standard output\n"
    "FOREBAY_SQL_DIR names another directory of migrations than " SQLDIR ".\n";

static void
tell(void *arg, const char *name, enum schema_state state)
{
	struct report *r = arg;

	if (state == SCHEMA_PRESENT) {
		r->present++;
		return;
	}
	if (r->json)
		printf("%s\"%s\"", r->changed ? "," : "", name);
	else
		printf("%s %s\n", state == SCHEMA_PENDING ? "pending" : "applied", name);
	r->changed++;
}

/* retention: in milliseconds, -1: as it is. */
static int
migrate(const struct conf_args *args, const char *dsn, int64_t retention, struct report *r)
{
	/* who says how to connect may be another user, who cannot read them */
	const struct conf *conf = dsn ? NULL : cmd_conf(args);
	const char *dir = getenv("FOREBAY_SQL_DIR");
	char errmsg[1024];
	struct buf text;
	enum err e;

	if (r->json)
		printf("{\"dry_run\":%s,\"%s\":[", r->dry_run ? "true" : "false",
		    r->dry_run ? "pending" : "applied");
	e = schema_migrate(conf, dsn, dir && *dir ? dir : SQLDIR, r->dry_run, tell, r, errmsg);
	if (e == ERR_OK && retention >= 0 && !r->dry_run)
		e = schema_retention(conf, dsn, retention, errmsg);
	if (r->json) {
		buf_init(&text, 8192);
		if (e != ERR_OK)
			buf_json(&text, slice_str(errmsg), sizeof errmsg);
		printf("],\"present\":%u,\"error\":%.*s}\n", r->present, text.n ? (int)text.n : 4,
		    text.n ? text.p : "null");
		buf_fini(&text);
	} else if (e == ERR_OK && r->changed == 0) {
		printf("the schema is up to date\n");
	}
	if (e != ERR_OK)
		fprintf(stderr, "forebay db migrate: %s\n", errmsg);
	return e == ERR_SETUP ? EX_NOPERM : e == ERR_DOWN ? EX_UNAVAILABLE : err_exit(e);
}

int
cmd_db(const struct conf_args *args, int argc, char **argv)
{
	struct report r = { false, false, 0, 0 };
	const char *dsn = NULL, *retention = NULL;
	int64_t ms = -1;
	const struct cmd_option options[] = {
		{ "conninfo", 0, NULL, &dsn }, { "dry-run", 0, &r.dry_run, NULL }, { "json", 0, &r.json, NULL },
		{ "retention", 0, NULL, &retention },
		{ NULL, 0, NULL, NULL },
	};
	int status = cmd_options(&argc, &argv, options, usage);

	if (status >= 0)
		return status;
	if (argc != 1 || strcmp(argv[0], "migrate") != 0 || (retention && !conf_duration(retention, &ms)))
		return cmd_usage(usage);
	return migrate(args, dsn, ms, &r);
}
