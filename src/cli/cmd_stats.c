#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/stat.h"
#include "base/tally.h"
#include "cli/cmd.h"
#include "cli/cost.h"
#include "journal/dir.h"
#include "journal/query.h"

#define SAMPLE_MS	1000		/* between the two samples that rates come from */
#define KINDS_MAX	20		/* sources and types that are shown */

struct report {
	int64_t at_us;			/* monotonic */
	uint64_t v[STAT_COUNT];
	struct stat_histogram t[TIMES_COUNT];
	bool collect, flush;		/* were their counters there? */
	bool collect_runs, flush_runs;
	size_t segments;
	struct dir_space space;
};

/* Does one of the processes that count there live? */
static bool
runs(const struct stat_file *f)
{
	uint32_t i;

	for (i = 0; i < f->n; i++)
		if (f->slots[i].pid > 0 && (kill(f->slots[i].pid, 0) == 0 || errno == EPERM))
			return true;
	return false;
}

static bool
add_file(struct report *r, const char *dir, const char *name, const char *program, bool *alive)
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
	*alive = runs(&f);
	stat_close(&f);
	return true;
}

static enum err
collect(struct report *r, const struct conf *conf)
{
	struct dir_segment *list;
	enum err e;

	memset(r, 0, sizeof *r);
	r->at_us = clock_mono_us();
	r->collect = add_file(r, conf->run_dir, STAT_COLLECT_FILE, "collect", &r->collect_runs);
	r->flush = add_file(r, conf->run_dir, STAT_FLUSH_FILE, "flush", &r->flush_runs);
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

/* --- what two samples tell --------------------------------------------------------- */

/* The same counters, per second. */
static const struct { const char *name, *doc; enum stat_counter counter; bool flush; } rates[] = {
	{ "requests", "Requests a second.", STAT_collect_requests_total, false },
	{ "events_accepted", "Events acknowledged a second.", STAT_collect_events_accepted_total, false },
	{ "events_rejected", "Events refused a second.", STAT_collect_events_rejected_total, false },
	{ "bytes_accepted", "Payload bytes a second.", STAT_collect_bytes_accepted_total, false },
	{ "rows_loaded", "Rows loaded into PostgreSQL a second.", STAT_flush_rows_loaded_total, true },
};

static double
per_second(const struct report *a, const struct report *b, uint64_t va, uint64_t vb)
{
	double seconds = (double)(b->at_us - a->at_us) / 1e6;

	return seconds > 0 && vb > va ? (double)(vb - va) / seconds : 0;
}

/* Seconds until the journal is full when it goes on growing like this; -1: it does not grow. */
static double
until_full(const struct report *a, const struct report *b, const struct conf *conf)
{
	const struct dir_limits limits = { conf->journal_cap_pct, conf->journal_floor_pct, conf->journal_floor_bytes };
	uint64_t capacity = dir_capacity(&b->space, &limits);
	double growth = per_second(a, b, a->space.used, b->space.used);

	if (growth <= 0)
		return -1;
	return capacity > b->space.used ? (double)(capacity - b->space.used) / growth : 0;
}

struct kinds { bool json; size_t n; };

/* As JSON for people too: quoted, for a client chose the words. */
static void
put_text(struct buf *b, struct slice text)
{
	if (text.p)
		buf_json(b, text, SIZE_MAX);
	else
		buf_puts(b, "null");
}

/* source, type, events */
static bool
print_kind(void *arg, const struct query_value *v, size_t n UNUSED)
{
	struct kinds *k = arg;
	struct buf out;

	buf_init(&out, 8192);
	buf_puts(&out, !k->json ? "minute   " : k->n ? ",{\"source\":" : "{\"source\":");
	put_text(&out, v[0].text);
	buf_puts(&out, k->json ? ",\"type\":" : " ");
	put_text(&out, v[1].text);
	if (k->json)
		buf_printf(&out, ",\"events\":%.*s}", (int)v[2].text.n, v[2].text.p);
	else
		buf_printf(&out, "%*.*s\n", out.n < 58 ? 58 - (int)out.n : 12, (int)v[2].text.n, v[2].text.p);
	if (!out.failed)
		fwrite(out.p, 1, out.n, stdout);
	buf_fini(&out);
	k->n++;
	return true;
}

static enum err
print_kinds(const struct conf *conf, bool json)
{
	struct kinds k = { .json = json };
	char sql[256], since[CLOCK_TEXT], errmsg[256];
	const struct slice params[] = { slice_str(clock_text(clock_us() - 60000000, since)) };
	enum err e;

	snprintf(sql, sizeof sql, "SELECT source, type, count(*) FROM event WHERE received_at > ?1"
	    " GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %d", KINDS_MAX);
	e = query_run(conf->journal_dir, sql, params, 1, print_kind, &k, errmsg);
	if (e != ERR_OK)
		fprintf(stderr, "forebay stats: the last minute: %s\n", errmsg);
	return e;
}

static void
print_rates(const struct report *a, const struct report *b, const struct conf *conf, bool json)
{
	double full = until_full(a, b, conf), rate;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		rate = per_second(a, b, a->v[rates[i].counter], b->v[rates[i].counter]);
		if (!(rates[i].flush ? b->flush : b->collect))
			continue;
		if (json)
			printf(",\"%s_per_second\":%.1f", rates[i].name, rate);
		else
			printf("now      %-28s %20.1f  %s\n", rates[i].name, rate, rates[i].doc);
	}
	if (json && full < 0)
		printf(",\"seconds_until_full\":null");
	else if (json)
		printf(",\"seconds_until_full\":%.0f", full);
	else if (full < 0)
		printf("now      %-28s %20s  The journal does not grow.\n", "seconds_until_full", "-");
	else
		printf("now      %-28s %20.0f  Until new events are refused, at the journal's growth of this second.\n",
		    "seconds_until_full", full);
}

/* --- all counters -------------------------------------------------------------------- */

static void
print_json(const struct report *r)
{
	const struct stat_info *info;
	size_t i;

	printf("{\"collect_runs\":%s,\"flush_runs\":%s,", r->collect_runs ? "true" : "false",
	    r->flush_runs ? "true" : "false");
	for (i = 0; i < STAT_COUNT; i++)
		if (shown(r, &stat_infos[i]))
			printf("\"%s_%s\":%" PRIu64 ",", stat_infos[i].program, stat_infos[i].name, r->v[i]);
	for (i = 0; i < TIMES_COUNT; i++)
		if (shown(r, info = &stat_times_infos[i]))
			printf("\"%s_%s_count\":%" PRIu64 ",\"%s_%s_us_total\":%" PRIu64 ",",
			    info->program, info->name, times_count(&r->t[i]),
			    info->program, info->name, r->t[i].us);
	printf("\"journal_segments\":%zu,\"journal_bytes\":%" PRIu64 ",\"volume_free_bytes\":%" PRIu64
	    ",\"volume_bytes\":%" PRIu64, r->segments, r->space.used, r->space.free, r->space.total);
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
	if (r->collect && !r->collect_runs)
		printf("# the collector does not run: its numbers are from when it last did\n");
	if (r->flush && !r->flush_runs)
		printf("# the flusher does not run: its numbers are from when it last did\n");
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

/* --- by key ------------------------------------------------------------------------- */

static int
by_times_unread(const void *a, const void *b)
{
	const struct tally_entry *x = *(const struct tally_entry *const *)a, *y = *(const struct tally_entry *const *)b;

	return x->times_unread < y->times_unread ? 1 : x->times_unread > y->times_unread ? -1 : strcmp(x->name, y->name);
}

/* The keys by which a time came that cannot be read, those with most of them. */
static size_t
list_times_unread(const struct tally *t, const struct tally_entry *list[TALLY_KEYS + 1])
{
	const struct tally_entry *e;
	size_t i = 0, n = 0;

	while (t->entries && (e = tally_next(t, &i)))
		if (e->times_unread > 0)
			list[n++] = e;
	qsort(list, n, sizeof *list, by_times_unread);
	return n < KINDS_MAX ? n : KINDS_MAX;
}

static void
print_by_key(const struct conf *conf, bool json)
{
	static const struct tally_entry *list[TALLY_KEYS + 1];
	struct tally t;
	struct buf out;
	size_t i, n;

	if (tally_read(&t, conf->run_dir) != ERR_OK)
		t.entries = NULL;
	if (json)
		printf(",\"times_unread_by_key\":[");
	n = list_times_unread(&t, list);
	for (i = 0; i < n; i++) {
		buf_init(&out, 4096);
		buf_puts(&out, !json ? "times_unread by " : i ? ",{\"key\":" : "{\"key\":");
		buf_json(&out, slice_str(list[i]->name), SIZE_MAX);
		if (json)
			buf_printf(&out, ",\"events\":%" PRIu64 "}", list[i]->times_unread);
		else
			buf_printf(&out, "%*" PRIu64 "  Events with a time that cannot be read.\n",
			    out.n < 58 ? 58 - (int)out.n : 12, list[i]->times_unread);
		if (!out.failed)
			fwrite(out.p, 1, out.n, stdout);
		buf_fini(&out);
	}
	if (json)
		putchar(']');
	tally_close(&t);
}

/* --- money -------------------------------------------------------------------------- */

/* Since the collector's counters were made, which is its first start since boot. */
static double
age_s(const char *dir)
{
	char path[1024];
	struct statx x;

	snprintf(path, sizeof path, "%s/%s", dir, STAT_COLLECT_FILE);
	if (statx(AT_FDCWD, path, 0, STATX_BTIME, &x) != 0 || !(x.stx_mask & STATX_BTIME))
		return 0;
	return (double)(clock_us() - (x.stx_btime.tv_sec * 1000000 + x.stx_btime.tv_nsec / 1000)) / 1e6;
}

static int
print_cost(const struct conf *conf, bool json)
{
	struct report r;
	enum err e = collect(&r, conf);
	struct cost_traffic t = {
		.seconds = age_s(conf->run_dir),
		.requests = r.v[STAT_collect_requests_total],
		.events = r.v[STAT_collect_events_accepted_total],
		.bytes = r.v[STAT_collect_bytes_accepted_total],
		.volume = r.space.total,
	};

	if (e == ERR_OK && !r.collect)
		e = ERR_DOWN;
	if (e != ERR_OK) {
		fprintf(stderr, "forebay stats: %s: %s\n", r.collect ? conf->journal_dir
		    : "the collector has not run since boot, or run.dir is another", err_name(e));
		return err_exit(e);
	}
	cost_print(&t, json);
	return EX_OK;
}

static const char usage[] =
    "usage: forebay stats [--cost] [--json]\n"
	    "Rates of this second, events of the last minute by source and type, all counters of\n"
	    "collector and flusher, and the journal's size. What waits for PostgreSQL is in flush\n"
	    "pending_rows and pending_age_us.\n"
	    "  --cost  instead: what the traffic since the collector's first start costs on AWS\n"
	    "exit status: 0; 64 usage; 66 no journal; 77 no right to read\n";

int
cmd_stats(const struct conf_args *args, int argc, char **argv)
{
	const struct timespec pause = { .tv_sec = SAMPLE_MS / 1000, .tv_nsec = SAMPLE_MS % 1000 * 1000000L };
	bool cost = false, json = false;
	const struct cmd_option options[] = {
		{ "cost", 0, &cost, NULL }, { "json", 0, &json, NULL }, { NULL, 0, NULL, NULL },
	};
	int status = cmd_options(&argc, &argv, options, usage);
	const struct conf *conf;
	struct report a, b;
	enum err e;

	if (status >= 0)
		return status;
	if (argc > 0)
		return cmd_usage(usage);
	conf = cmd_conf(args);
	status = cmd_journal_readable(conf->journal_dir);
	if (status != EX_OK)
		return status;
	if (cost)
		return print_cost(conf, json);
	e = collect(&a, conf);
	nanosleep(&pause, NULL);
	if (e == ERR_OK)
		e = collect(&b, conf);
	if (e != ERR_OK) {
		fprintf(stderr, "forebay stats: %s: %s\n", conf->journal_dir, err_name(e));
		return err_exit(e);
	}
	if (!json)
		print_text(&b);
	else
		print_json(&b);
	print_rates(&a, &b, conf, json);
	print_by_key(conf, json);
	if (json)
		printf(",\"last_minute\":[");
	e = print_kinds(conf, json);
	if (json)
		puts("]}");
	return err_exit(e);
}
