/*
 * forebay salvage: what can be read of segments that were set aside, and is not covered
 * by progress, goes into a new segment, which the flusher ships like any other. What
 * progress covers is settled, be it in quarantine. The rest keeps received_at and
 * fingerprint: should a salvage be repeated, it is known as duplicates.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "journal/dir.h"
#include "journal/journal.h"
#include "journal/salvage.h"
#include "sink/lookup.h"

#define COMMIT_ROWS	1000
#define LIMIT_MS	60000		/* for a question to PostgreSQL */

struct salvage {
	const struct conf *conf;
	struct uuid_source ids;
	struct lookup *lookup;
	struct journal *journal;
	int64_t progress;		/* of the segment at hand */
	int64_t since_commit, settled, events, rejections;
	enum err err;
	char aside[1024], errmsg[256];
};

static bool
take(void *arg, const struct row *r)
{
	struct salvage *s = arg;
	struct row copy = *r;

	if (r->seq <= s->progress) {
		s->settled++;
		return true;
	}
	/* rejections have no fingerprint to be known by, and were told to their senders */
	if (r->kind != ROW_EVENT) {
		s->rejections++;
		return true;
	}
	s->err = journal_append(s->journal, &copy, 1);
	if (s->err == ERR_OK && ++s->since_commit >= COMMIT_ROWS) {
		s->since_commit = 0;
		s->err = journal_commit(s->journal);
	}
	s->events += s->err == ERR_OK;
	return s->err == ERR_OK;
}

static bool
take_progress(void *arg, const char *const *v)
{
	*(int64_t *)arg = v[1] ? strtoll(v[1], NULL, 10) : 0;
	return true;
}

static enum err
ask_progress(struct salvage *s, struct uuid u)
{
	char text[UUID_TEXT];
	const char *params[LOOKUP_PARAMS] = { uuid_text(u, text) };
	enum err e;

	s->progress = 0;
	e = lookup_ask(s->lookup, LOOKUP_PROGRESS, params, take_progress, &s->progress);
	if (e != ERR_OK)
		snprintf(s->errmsg, sizeof s->errmsg, "PostgreSQL: %.200s", lookup_errmsg(s->lookup));
	return e;
}

/* One segment, whole: its rows are fsynced in the new segment before it is put away.
 * It stays when it gave nothing: there is nothing then that could be done with it here. */
static enum err
salvage_one(struct salvage *s, struct uuid u, struct salvaged *found)
{
	char done[1100];
	enum err e;

	s->settled = s->events = s->rejections = s->since_commit = 0;
	s->err = ERR_OK;
	e = ask_progress(s, u);
	if (e == ERR_OK)
		e = journal_begin(&s->journal, s->conf->journal_dir, &s->ids,
		    *s->conf->journal_node ? s->conf->journal_node : "salvage", s->errmsg);
	if (e != ERR_OK)
		return e;
	e = salvage_read(s->aside, u, take, s, found, s->errmsg);
	if (e == ERR_OK && s->err != ERR_OK) {
		e = s->err;
		snprintf(s->errmsg, sizeof s->errmsg, "%s", journal_errmsg(s->journal));
	}
	if (e == ERR_OK)
		e = journal_commit(s->journal);
	journal_close(&s->journal);
	if (e != ERR_OK || found->found == 0)
		return e;
	snprintf(done, sizeof done, "%s/salvaged", s->aside);
	if (mkdir(done, 0750) != 0 && errno != EEXIST)
		return ERR_IO;
	return dir_move(s->aside, u, done);
}

/* true: every row that there was has come out. */
static bool
report(const struct salvage *s, struct uuid u, const struct salvaged *found, bool json)
{
	int64_t last = found->last_seq > s->progress ? found->last_seq : s->progress;
	int64_t missing = last - s->progress - (found->found - s->settled);
	bool end_known = found->end_known && found->last_seq == last;
	char text[UUID_TEXT];

	uuid_text(u, text);
	if (json) {
		printf("{\"segment\":\"%s\",\"events\":%lld,\"progress\":%lld,\"rejections_left\":%lld,"
		    "\"unreadable\":%lld,\"last_seq\":%lld,\"end_known\":%s,\"io_errors\":%lld}\n", text,
		    (long long)s->events, (long long)s->progress, (long long)s->rejections, (long long)missing,
		    (long long)last, end_known ? "true" : "false", (long long)found->io_errors);
	} else {
		printf("%s: %lld events salvaged, %lld rows left that PostgreSQL has, %lld rejections left, "
		    "%lld of %lld rows unreadable%s", text, (long long)s->events, (long long)s->progress,
		    (long long)s->rejections, (long long)missing, (long long)last,
		    end_known ? "" : "; there may have been more rows");
		if (found->io_errors > 0)
			printf("; %lld input/output errors", (long long)found->io_errors);
		puts(found->found > 0 ? "" : "; its files stay in aside");
	}
	return missing == 0 && end_known;
}

static int
salvage(struct salvage *s, const struct dir_segment *list, size_t n, bool json)
{
	struct salvaged found;
	bool whole = true;
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; e == ERR_OK && i < n; i++) {
		e = salvage_one(s, list[i].uuid, &found);
		if (e == ERR_OK)
			whole = report(s, list[i].uuid, &found, json) && whole;
	}
	if (e != ERR_OK)
		fprintf(stderr, "%s: %s\n", err_name(e), s->errmsg[0] ? s->errmsg : s->aside);
	return e == ERR_OK && !whole ? 1 : err_exit(e);
}

static const char usage[] =
    "usage: forebay salvage [--json]\n"
    "Brings what can be read of segments that were set aside into the journal, but for what\n"
    "PostgreSQL has; of each it says how many rows cannot be read, and whether there may have\n"
    "been more. Its files go to aside/salvaged.\n"
    "exit status: 0 nothing is missing; 1 rows are missing or may be; 64 usage; 69 no PostgreSQL;\n"
    "75 try again\n";

int
cmd_salvage(const struct conf_args *args, int argc, char **argv)
{
	bool json = false;
	const struct cmd_option options[] = { { "json", 0, &json, NULL }, { NULL, 0, NULL, NULL } };
	struct salvage s = { .conf = NULL };
	struct dir_segment *list = NULL;
	char errmsg[1024];
	size_t n = 0;
	int status = cmd_options(&argc, &argv, options, usage);
	enum err e;

	if (status >= 0)
		return status;
	if (argc > 0)
		return cmd_usage(usage);
	status = EX_OK;
	uuid_source_init(&s.ids);
	s.conf = cmd_conf(args);
	snprintf(s.aside, sizeof s.aside, "%s/aside", s.conf->journal_dir);
	e = dir_list(s.aside, &list, &n);
	if (e != ERR_OK && e != ERR_DOWN) {
		fprintf(stderr, "forebay salvage: %s: %s\n", s.aside, err_name(e));
		status = err_exit(e);
	} else if (n == 0) {
		fputs(json ? "" : "nothing is set aside\n", stdout);
	} else if (lookup_open(&s.lookup, s.conf, NULL, LIMIT_MS, errmsg) != ERR_OK) {
		fprintf(stderr, "forebay salvage: PostgreSQL has to say what it has: %s\n", errmsg);
		status = EX_UNAVAILABLE;
	} else {
		status = salvage(&s, list, n, json);
	}
	lookup_close(&s.lookup);
	free(list);
	return status;
}
