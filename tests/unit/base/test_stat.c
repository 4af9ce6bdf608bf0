/* Counters in shared memory: totals survive their writers, strangers' files do not. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/stat.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static char dir[TMP_PATH], path[TMP_PATH + 16];

static void
test_counting(void)
{
	struct stat_file f, r;
	int status;
	pid_t pid;

	is_int(stat_open(&r, dir, "t.stat"), ERR_DOWN, "not there yet");
	is_int(stat_create(&f, dir, "t.stat", 3), ERR_OK, "created");
	ok(f.n == 3 && stat_sum(&f, STAT_collect_requests_total) == 0, "three slots of zeros");
	ok((uintptr_t)f.slots % 64 == 0, "slots do not share cache lines");
	pid = fork();
	if (pid == 0) {
		stat_add(&f.slots[0], STAT_collect_requests_total, 40);
		stat_set(&f.slots[0], STAT_collect_connections, 7);
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0, "a child counts");
	stat_add(&f.slots[2], STAT_collect_requests_total, 2);
	is_int((long long)stat_sum(&f, STAT_collect_requests_total), 42, "the sum is over all slots");
	is_int(stat_open(&r, dir, "t.stat"), ERR_OK, "another maps it");
	is_int((long long)stat_sum(&r, STAT_collect_requests_total), 42, "and sees the same");
	stat_add(&f.slots[1], STAT_collect_requests_total, 1);
	is_int((long long)stat_sum(&r, STAT_collect_requests_total), 43, "as it grows");
	stat_close(&r);
	stat_close(&f);
	ok(!f.slots && f.n == 0, "closed");
	stat_close(&f);
}

static void
test_histogram(void)
{
	struct stat_histogram h;
	struct stat_file f;
	size_t i, wrong = 0;
	uint64_t us = 0;

	is_int(stat_create(&f, dir, "h.stat", 2), ERR_OK, "for times");
	for (i = 0; i < STAT_BUCKETS - 1; i++) {
		stat_observe(&f.slots[i % 2], TIMES_collect_commit, stat_bounds_us[i]);
		us += stat_bounds_us[i];
		wrong += i > 0 && stat_bounds_us[i] <= stat_bounds_us[i - 1];
	}
	h = stat_times_sum(&f, TIMES_collect_commit);
	for (i = 0; i < STAT_BUCKETS - 1; i++)
		wrong += h.n[i] != 1;
	ok(wrong == 0 && h.n[STAT_BUCKETS - 1] == 0, "a time at a bound counts below it");
	is_int((long long)h.us, (long long)us, "and adds up");
	stat_observe(&f.slots[0], TIMES_collect_commit, stat_bounds_us[STAT_BUCKETS - 2] + 1);
	stat_observe(&f.slots[0], TIMES_collect_commit, 0);
	h = stat_times_sum(&f, TIMES_collect_commit);
	ok(h.n[STAT_BUCKETS - 1] == 1 && h.n[0] == 2, "the longest and the shortest");
	h = stat_times_sum(&f, TIMES_collect_request);
	ok(h.us == 0 && h.n[0] == 0, "other times are not touched");
	stat_close(&f);
}

static void
test_take_over(void)
{
	struct stat_file f;

	is_int(stat_create(&f, dir, "t.stat", 3), ERR_OK, "taken over");
	is_int((long long)stat_sum(&f, STAT_collect_requests_total), 43, "totals go on");
	stat_close(&f);
	is_int(stat_create(&f, dir, "t.stat", 2), ERR_OK, "by who needs fewer slots");
	ok(f.n == 3 && stat_sum(&f, STAT_collect_requests_total) == 43, "it keeps them all");
	stat_close(&f);
	is_int(stat_create(&f, dir, "t.stat", 4), ERR_OK, "by who needs more");
	ok(f.n == 4 && stat_sum(&f, STAT_collect_requests_total) == 0, "it begins anew");
	stat_close(&f);
}

static void
test_strangers(void)
{
	struct stat_file f;

	tmp_write(path, "not a counter file at all, but long enough to hold a header of 64 bytes..");
	is_int(stat_open(&f, dir, "t.stat"), ERR_DOWN, "a stranger's file is not read");
	is_int(stat_create(&f, dir, "t.stat", 2), ERR_OK, "but replaced");
	stat_close(&f);
	ok(truncate(path, 100) == 0, "cut short");
	is_int(stat_open(&f, dir, "t.stat"), ERR_DOWN, "a short file is not mapped");
	tmp_write(path, "");
	is_int(stat_open(&f, dir, "t.stat"), ERR_DOWN, "nor an empty one");
	is_int(stat_create(&f, "/nonexistent", "t.stat", 2), ERR_IO, "no directory");
}

static void
test_table(void)
{
	size_t i, k, twice = 0, bad = 0;

	for (i = 0; i < STAT_COUNT; i++) {
		bad += (strstr(stat_infos[i].name, "_total") != NULL) !=
		    (strcmp(stat_infos[i].kind, "COUNTER") == 0);
		for (k = 0; k < i; k++)
			twice += strcmp(stat_infos[i].name, stat_infos[k].name) == 0 &&
			    strcmp(stat_infos[i].program, stat_infos[k].program) == 0;
	}
	is_int((long long)twice, 0, "no counter has another's name");
	is_int((long long)bad, 0, "counters, and only they, end in _total");
}

int
main(void)
{
	tmp_make(dir);
	snprintf(path, sizeof path, "%s/t.stat", dir);
	test_counting();
	test_histogram();
	test_take_over();
	test_strangers();
	test_table();
	tmp_remove(dir);
	return done();
}
