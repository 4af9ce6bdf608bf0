#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/stat.h"
#include "cli/cmd.h"
#include "journal/dir.h"

struct report {
	uint64_t v[STAT_COUNT];
	struct stat_histogram t[TIMES_COUNT];
	bool collect, flush;		/* were their counters there? */
	size_t segments;
	struct dir_space space;
};

static bool
add_file(struct report *r, const char *dir, const char *name, const char *program)
{
	struct stat_file f;
	size_t i;

	if (stat_open(&f, dir, name) != ERR_OK)
		return false;
	for (i = 0; i < STAT_COUNT; i++)
		if (strcmp(stat_infos[i].program, program) == 0)
			r->v[i] = stat_sum(&f, (enum stat_counter)i);
	for (i = 0; i < TIMES_COUNT; i++)
		if (strcmp(stat_times_infos[i].program, program) == 0)
			r->t[i] = stat_times_sum(&f, (enum stat_times)i);
	stat_close(&f);
	return true;
}

static enum err
collect(struct report *r, const struct conf *conf)
{
	struct dir_segment *list;
	enum err e;

	memset(r, 0, sizeof *r);
	r->collect = add_file(r, conf->run_dir, STAT_COLLECT_FILE, "collect");
	r->flush = add_file(r, conf->run_dir, STAT_FLUSH_FILE, "flush");
	e = dir_list(conf->journal_dir, &list, &r->segments);
	if (e == ERR_OK)
		e = dir_space(conf->journal_dir, &r->space);
	free(list);
	return e;
}

static bool
shown(const struct report *r, const struct stat_info *info)
{
	return strcmp(info->program, "collect") == 0 ? r->collect : r->flush;
}

static uint64_t
times_count(const struct stat_histogram *h)
{
	uint64_t n = 0;
	size_t k;

	for (k = 0; k < STAT_BUCKETS; k++)
		n += h->n[k];
	return n;
}

static void
print_json(const struct report *r)
{
	const struct stat_info *info;
	size_t i;

	printf("{");
	for (i = 0; i < STAT_COUNT; i++)
		if (shown(r, &stat_infos[i]))
			printf("\"%s_%s\":%" PRIu64 ",", stat_infos[i].program, stat_infos[i].name, r->v[i]);
	for (i = 0; i < TIMES_COUNT; i++)
		if (shown(r, info = &stat_times_infos[i]))
			printf("\"%s_%s_count\":%" PRIu64 ",\"%s_%s_us_total\":%" PRIu64 ",",
			    info->program, info->name, times_count(&r->t[i]),
			    info->program, info->name, r->t[i].us);
	printf("\"journal_segments\":%zu,\"journal_bytes\":%" PRIu64 ",\"volume_free_bytes\":%" PRIu64
	    ",\"volume_bytes\":%" PRIu64 "}\n", r->segments, r->space.used, r->space.free, r->space.total);
}

/* The mean, and the bound below which 99 of 100 lie. */
static void
print_times(const struct stat_info *info, const struct stat_histogram *h)
{
	uint64_t n = times_count(h), below = 0;
	size_t k;

	for (k = 0; k < STAT_BUCKETS - 1 && (below += h->n[k]) * 100 < n * 99; k++)
		;
	printf("%-8s %-28s %20" PRIu64 "  %s", info->program, info->name, n, info->doc);
	if (n > 0)
		printf(" Mean %.3f ms, 99 %% %s %g ms.", (double)h->us / 1e3 / (double)n,
		    k < STAT_BUCKETS - 1 ? "at most" : "over",
		    stat_bounds_us[k < STAT_BUCKETS - 1 ? k : STAT_BUCKETS - 2] / 1e3);
	putchar('\n');
}

/* Codes that never were needed are left out of the text. */
static bool
is_idle_code(const struct stat_info *info, uint64_t v)
{
	return v == 0 && strncmp(info->name, "answers_", 8) == 0 && strchr(info->metric, '{');
}

static void
print_text(const struct report *r)
{
	size_t i;

	if (!r->collect)
		printf("# the collector has not run since boot, or run.dir is another\n");
	if (!r->flush)
		printf("# the flusher has not run since boot, or run.dir is another\n");
	for (i = 0; i < STAT_COUNT; i++)
		if (shown(r, &stat_infos[i]) && !is_idle_code(&stat_infos[i], r->v[i]))
			printf("%-8s %-28s %20" PRIu64 "  %s\n", stat_infos[i].program,
			    stat_infos[i].name, r->v[i], stat_infos[i].doc);
	for (i = 0; i < TIMES_COUNT; i++)
		if (shown(r, &stat_times_infos[i]))
			print_times(&stat_times_infos[i], &r->t[i]);
	printf("%-8s %-28s %20zu  Segment files in the journal.\n", "journal", "segments", r->segments);
	printf("%-8s %-28s %20" PRIu64 "  Size of the journal.\n", "journal", "bytes", r->space.used);
	printf("%-8s %-28s %20" PRIu64 "  Free on its volume.\n", "journal", "free_bytes", r->space.free);
}

int
cmd_stats(const struct conf *conf, int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	struct report r;
	enum err e;

	if (argc > 1 && !json) {
		fputs("usage: forebay stats [--json]\n", stderr);
		return EX_USAGE;
	}
	e = collect(&r, conf);
	if (e != ERR_OK) {
		fprintf(stderr, "%s: cannot be read; are you in group forebay?\n", conf->journal_dir);
		return e == ERR_DOWN ? EX_NOINPUT : EX_NOPERM;
	}
	if (json)
		print_json(&r);
	else
		print_text(&r);
	return EX_OK;
}
