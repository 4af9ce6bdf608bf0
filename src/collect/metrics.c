#include "collect/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/stat.h"
#include "config.h"
#include "journal/dir.h"

#define SILENT_MS	60000	/* a program that has not turned for so long is down */

enum measure {
#define MEASURE(name, metric, label, doc) MEASURE_##name,
#include "counters.def"
};

static const struct { const char *metric, *doc; } measures[] = {
#define MEASURE(name, metric, label, doc) { metric, doc },
#include "counters.def"
};

/* Length of the name before its labels. */
static size_t
family(const char *metric)
{
	return strcspn(metric, "{");
}

static void
put_head(struct buf *b, const char *metric, const char *type, const char *doc)
{
	int n = (int)family(metric);

	buf_printf(b, "# HELP %.*s %s\n# TYPE %.*s %s\n", n, metric, doc, n, metric, type);
}

static bool
same_family(const struct stat_info *a, const struct stat_info *b)
{
	size_t n = family(a->metric);

	return n == family(b->metric) && memcmp(a->metric, b->metric, n) == 0;
}

static void
put_counters(struct buf *b, const struct stat_file *f, const char *program)
{
	const struct stat_info *info, *last = NULL;
	uint64_t v;
	size_t i;

	for (i = 0; i < STAT_COUNT; i++) {
		info = &stat_infos[i];
		if (strcmp(info->program, program) != 0)
			continue;
		if (!last || !same_family(info, last))
			put_head(b, info->metric, info->kind[0] == 'C' ? "counter" : "gauge", info->doc);
		last = info;
		v = stat_sum(f, (enum stat_counter)i);
		if (strcmp(info->kind, "GAUGE_US") == 0)
			buf_printf(b, "%s %.6f\n", info->metric, (double)v / 1e6);
		else
			buf_printf(b, "%s %" PRIu64 "\n", info->metric, v);
	}
}

static void
put_times(struct buf *b, const struct stat_file *f, const char *program)
{
	const struct stat_info *info;
	struct stat_histogram h;
	uint64_t n;
	size_t i, k;

	for (i = 0; i < TIMES_COUNT; i++) {
		info = &stat_times_infos[i];
		if (strcmp(info->program, program) != 0)
			continue;
		h = stat_times_sum(f, (enum stat_times)i);
		put_head(b, info->metric, "histogram", info->doc);
		for (k = 0, n = 0; k < STAT_BUCKETS - 1; k++) {
			n += h.n[k];
			buf_printf(b, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", info->metric,
			    stat_bounds_us[k] / 1e6, n);
		}
		n += h.n[k];
		buf_printf(b, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n",
		    info->metric, n, info->metric, (double)h.us / 1e6, info->metric, n);
	}
}

static void
put_measure(struct buf *b, enum measure m, double v)
{
	put_head(b, measures[m].metric, "gauge", measures[m].doc);
	buf_printf(b, "%s %.15g\n", measures[m].metric, v);
}

static bool
is_up(const struct stat_file *f)
{
	int64_t now = clock_mono_ms(), at;
	uint32_t i;

	for (i = 0; i < f->n; i++) {
		at = __atomic_load_n(&f->slots[i].heartbeat_ms, __ATOMIC_RELAXED);
		if (at > 0 && now - at <= SILENT_MS)
			return true;
	}
	return false;
}

static void
put_workers(struct buf *b, const struct stat_file *f)
{
	static const char *const phases[] = { "starting", "ready", "stopping" };
	unsigned n[ARRAY_SIZE(phases)] = { 0 };
	uint32_t i, phase;

	for (i = 0; i < f->n; i++) {
		phase = __atomic_load_n(&f->slots[i].phase, __ATOMIC_RELAXED);
		if (__atomic_load_n(&f->slots[i].pid, __ATOMIC_RELAXED) != 0 && phase < ARRAY_SIZE(n))
			n[phase]++;
	}
	put_head(b, measures[MEASURE_workers].metric, "gauge", measures[MEASURE_workers].doc);
	for (i = 0; i < ARRAY_SIZE(phases); i++)
		buf_printf(b, "%s{phase=\"%s\"} %u\n", measures[MEASURE_workers].metric, phases[i], n[i]);
}

static void
put_programs(struct buf *b, const struct conf *conf)
{
	const char *up = measures[MEASURE_up].metric;
	struct stat_file collect = { .n = 0 }, flush = { .n = 0 };

	if (stat_open(&collect, conf->run_dir, STAT_COLLECT_FILE) == ERR_OK) {
		put_counters(b, &collect, "collect");
		put_times(b, &collect, "collect");
		put_workers(b, &collect);
	}
	if (stat_open(&flush, conf->run_dir, STAT_FLUSH_FILE) == ERR_OK) {
		put_counters(b, &flush, "flush");
		put_times(b, &flush, "flush");
	}
	put_head(b, up, "gauge", measures[MEASURE_up].doc);
	buf_printf(b, "%s{program=\"collector\"} %d\n%s{program=\"flusher\"} %d\n",
	    up, is_up(&collect), up, is_up(&flush));
	stat_close(&collect);
	stat_close(&flush);
}

static bool
count_segments(const char *dir, size_t *n)
{
	struct dir_segment *list;
	enum err e = dir_list(dir, &list, n);

	free(list);
	return e == ERR_OK || e == ERR_DOWN;	/* no directory: none */
}

static void
put_journal(struct buf *b, const struct conf *conf)
{
	const struct dir_limits limits = {
		conf->journal_cap_pct, conf->journal_floor_pct, conf->journal_floor_bytes,
	};
	struct dir_space s;
	char aside[1024];
	size_t n;

	if (count_segments(conf->journal_dir, &n))
		put_measure(b, MEASURE_segments, (double)n);
	snprintf(aside, sizeof aside, "%s/aside", conf->journal_dir);
	if (count_segments(aside, &n))
		put_measure(b, MEASURE_aside, (double)n);
	if (dir_space(conf->journal_dir, &s) != ERR_OK)
		return;
	put_measure(b, MEASURE_bytes, (double)s.used);
	put_measure(b, MEASURE_capacity_bytes, (double)dir_capacity(&s, &limits));
	put_measure(b, MEASURE_free_bytes, (double)s.free);
	put_measure(b, MEASURE_size_bytes, (double)s.total);
}

void
metrics_write(struct buf *b, const struct conf *conf, bool draining)
{
	put_head(b, measures[MEASURE_build_info].metric, "gauge", measures[MEASURE_build_info].doc);
	buf_printf(b, "%s{version=\"%s\"} 1\n", measures[MEASURE_build_info].metric, PACKAGE_VERSION);
	put_programs(b, conf);
	put_measure(b, MEASURE_draining, draining);
	put_journal(b, conf);
	put_measure(b, MEASURE_clock, (double)clock_us() / 1e6);
}
