/* /metrics: sums over slots, histograms that add up, one head for each metric, and
 * what is left out when a program or a directory is not there. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stat.h"
#include "collect/metrics.h"
#include "tools/tap.h"

static char root[] = "/var/tmp/forebay-metrics-XXXXXX", journal[64];
static struct conf *conf;
static struct buf out;
static bool draining;

static const char *
scrape(void)
{
	buf_reset(&out);
	metrics_write(&out, conf, draining);
	buf_put(&out, "", 1);
	return out.failed ? "(failed)" : out.p;
}

static void
has(const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof wanted, "\n%s\n", line);
	ok(strstr(scrape(), wanted) != NULL, "%s", line);
}

static void
has_not(const char *what)
{
	ok(strstr(scrape(), what) == NULL, "no %s", what);
}

static void
touch(const char *dir, const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		abort();
	fclose(f);
}

static void
test_nothing_there(void)
{
	has("forebay_up{program=\"collector\"} 0");
	has("forebay_up{program=\"flusher\"} 0");
	has_not("forebay_requests_total");
	has_not("forebay_pending_rows");
	has("forebay_journal_segments 0");
	has("forebay_draining 0");
	has_not("forebay_journal_bytes");
}

static void
test_collector(struct stat_file *f)
{
	f->slots[0].pid = f->slots[1].pid = f->slots[2].pid = 4711;
	f->slots[0].phase = f->slots[1].phase = PHASE_READY;
	f->slots[2].phase = PHASE_STOPPING;
	f->slots[1].heartbeat_ms = clock_mono_ms();
	stat_add(&f->slots[0], STAT_collect_requests_total, 40);
	stat_add(&f->slots[1], STAT_collect_requests_total, 2);
	stat_add(&f->slots[1], STAT_collect_answers_UNAVAILABLE, 3);
	stat_observe(&f->slots[0], TIMES_collect_commit, 0);
	stat_observe(&f->slots[0], TIMES_collect_commit, 250);
	stat_observe(&f->slots[0], TIMES_collect_commit, 251);
	stat_observe(&f->slots[3], TIMES_collect_commit, 9000000);
	has("forebay_up{program=\"collector\"} 1");
	has("forebay_requests_total 42");
	has("forebay_answers_total{code=\"ok\"} 0");
	has("forebay_answers_total{code=\"unavailable\"} 3");
	has("forebay_workers{phase=\"starting\"} 0");
	has("forebay_workers{phase=\"ready\"} 2");
	has("forebay_workers{phase=\"stopping\"} 1");
	has("forebay_commit_duration_seconds_bucket{le=\"0.00025\"} 2");
	has("forebay_commit_duration_seconds_bucket{le=\"0.0005\"} 3");
	has("forebay_commit_duration_seconds_bucket{le=\"5\"} 3");
	has("forebay_commit_duration_seconds_bucket{le=\"+Inf\"} 4");
	has("forebay_commit_duration_seconds_count 4");
	has("forebay_commit_duration_seconds_sum 9.000501");
	has("forebay_request_duration_seconds_count 0");
}

static void
test_flusher(struct stat_file *f)
{
	f->slots[0].heartbeat_ms = clock_mono_ms() - 61000;
	stat_set(&f->slots[0], STAT_flush_pending_age_us, 1500000);
	stat_add(&f->slots[0], STAT_flush_rows_duplicate_total, 7);
	has("forebay_up{program=\"flusher\"} 0");
	has("forebay_pending_age_seconds 1.500000");
	has("forebay_flush_rows_total{result=\"duplicate\"} 7");
	f->slots[0].heartbeat_ms += 60000;
	has("forebay_up{program=\"flusher\"} 1");
}

static void
test_journal(void)
{
	char aside[96];

	snprintf(aside, sizeof aside, "%s/aside", journal);
	mkdir(journal, 0700);
	mkdir(aside, 0700);
	touch(journal, "019375a1-0000-7000-8000-000000000001.lock");
	touch(journal, "019375a1-0000-7000-8000-000000000002.lock");
	touch(aside, "019375a1-0000-7000-8000-000000000003.lock");
	draining = true;
	has("forebay_journal_segments 2");
	has("forebay_journal_aside_segments 1");
	has("forebay_journal_bytes 0");
	has("forebay_draining 1");
	ok(strstr(scrape(), "\nforebay_journal_capacity_bytes ") != NULL, "a capacity");
}

/* Each metric has one HELP and one TYPE, and its lines stand together. */
static void
test_form(void)
{
	char name[128], seen[128][128];
	size_t n = 0, i, len;
	bool twice = false, stray = false;
	const char *line, *end;

	for (line = scrape(); *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		if (sscanf(line, "# HELP %127s", name) == 1) {
			for (i = 0; i < n; i++)
				twice |= strcmp(seen[i], name) == 0;
			snprintf(seen[n++], sizeof seen[0], "%s", name);
		} else if (*line != '#') {
			len = strlen(seen[n - 1]);
			stray |= n == 0 || strncmp(line, seen[n - 1], len) != 0 || !strchr(" {_", line[len]);
		}
	}
	ok(n > 30, "%zu metrics", n);
	ok(!twice, "each has one head");
	ok(!stray, "and its lines under it");
	ok(line[0] == '\0' && line[-1] == '\n', "the last line is ended");
	ok(strlen(scrape()) < 32 * 1024, "%zu bytes fit into an answer", strlen(scrape()));
}

int
main(void)
{
	struct stat_file collect, flush;
	char run[64], dir[96], errmsg[512];
	char *flags[] = { run, dir };
	char cmd[64];

	buf_init(&out, 64 * 1024);
	if (!mkdtemp(root))
		abort();
	snprintf(journal, sizeof journal, "%s/journal", root);
	snprintf(run, sizeof run, "run.dir=%s", root);
	snprintf(dir, sizeof dir, "journal.dir=%s", journal);
	if (conf_load(&conf, "/dev/null", flags, 2, errmsg) != ERR_OK) {
		printf("Bail out! %s\n", errmsg);
		return 1;
	}
	test_nothing_there();
	if (stat_create(&collect, root, STAT_COLLECT_FILE, 4) != ERR_OK ||
	    stat_create(&flush, root, STAT_FLUSH_FILE, 1) != ERR_OK)
		abort();
	test_collector(&collect);
	test_flusher(&flush);
	test_journal();
	test_form();
	stat_close(&collect);
	stat_close(&flush);
	conf_free(&conf);
	buf_fini(&out);
	snprintf(cmd, sizeof cmd, "rm -rf %s", root);
	if (system(cmd) != 0)
		abort();
	return done();
}
