#include "base/cpus.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mounts.h"

#define CPUS_MAX	8192	/* more than any kernel is built for */

/* --- affinity ------------------------------------------------------------------------ */

static unsigned
affinity(void)
{
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = 0;

	if (set && sched_getaffinity(0, size, set) == 0)
		n = (unsigned)CPU_COUNT_S(size, set);
	CPU_FREE(set);
	return n > 0 ? n : online > 0 ? (unsigned)online : 1;
}

/* --- quota: https://docs.kernel.org/admin-guide/cgroup-v2.html, cgroup-v1/ ---------------- */

/* The smaller of two quotas; 0 is none. */
static unsigned
least(unsigned a, unsigned b)
{
	return a == 0 || (b > 0 && b < a) ? b : a;
}

static unsigned
per_period(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return 0;
	return quota / period >= CPUS_MAX ? CPUS_MAX : (unsigned)((quota + period - 1) / period);
}

/* dir/name: its number. */
static long long
number(const char *dir, const char *name)
{
	char path[PATH_MAX + 32], text[64];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return file_read(path, text, sizeof text) == ERR_OK ? strtoll(text, NULL, 10) : 0;
}

/* One cgroup's own, of version 2 or 1: it has the files of one of them, or neither. */
static unsigned
quota_at(const char *dir)
{
	char path[PATH_MAX + 32], text[64], *rest;
	long long quota;

	snprintf(path, sizeof path, "%s/cpu.max", dir);
	if (file_read(path, text, sizeof text) != ERR_OK)
		return per_period(number(dir, "cpu.cfs_quota_us"), number(dir, "cpu.cfs_period_us"));
	quota = strtoll(text, &rest, 10);	/* "max 100000" has none */
	return per_period(quota, strtoll(rest, NULL, 10));
}

/* That of a cgroup, and of all above it up to where the hierarchy is mounted. */
static unsigned
quota_up(const char *mounted, const char *path)
{
	char dir[PATH_MAX];
	size_t top = strlen(mounted);
	unsigned least_quota = 0;
	char *slash;

	if (snprintf(dir, sizeof dir, "%s%s", mounted, path) >= (int)sizeof dir)
		return 0;
	for (;;) {
		least_quota = least(least_quota, quota_at(dir));
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < top)
			return least_quota;
		*slash = '\0';
	}
}

/* Does the line of /proc/PID/cgroup, "ID:CONTROLLERS:PATH", tell of this mount? */
static const char *
path_in(const char *line, const struct mount *m)
{
	const char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL, *word;
	size_t n;

	if (!path)
		return NULL;
	if (strcmp(m->type, "cgroup2") == 0)
		return path == names + 1 ? path + 1 : NULL;
	for (names++; (word = mounts_option(&names, &n)) && word < path;)
		if (n >= 3 && strncmp(word, "cpu", 3) == 0 && (word[3] == ',' || word[3] == ':'))
			return path + 1;
	return NULL;
}

/* Mounts of version 2, and that of version 1 which has the controller. */
static bool
has_cpu(const struct mount *m)
{
	const char *at = m->options, *word;
	size_t n;

	if (strcmp(m->type, "cgroup") != 0)
		return strcmp(m->type, "cgroup2") == 0;
	while ((word = mounts_option(&at, &n)))
		if (n == 3 && memcmp(word, "cpu", 3) == 0)
			return true;
	return false;
}

/* In a container the mount may show only the part below m->root. */
static unsigned
quota_on(const struct mount *m, FILE *cgroups)
{
	char point[PATH_MAX], line[PATH_MAX + 64];
	size_t root = strcmp(m->root, "/") == 0 ? 0 : strlen(m->root);
	const char *path;

	if (!mounts_unescape(point, sizeof point, m->point, strlen(m->point)))
		return 0;
	rewind(cgroups);
	while (fgets(line, sizeof line, cgroups)) {
		line[strcspn(line, "\n")] = '\0';
		path = path_in(line, m);
		if (path && strncmp(path, m->root, root) == 0 && (path[root] == '/' || path[root] == '\0'))
			return quota_up(point, path + root);
		if (path)
			return quota_up(point, "");
	}
	return 0;
}

unsigned
cpus_quota(const char *proc)
{
	char path[PATH_MAX];
	struct mounts *mounts;
	struct mount m;
	unsigned n = 0;
	FILE *cgroups;

	snprintf(path, sizeof path, "%s/cgroup", proc);
	cgroups = fopen(path, "re");
	if (!cgroups)
		return 0;
	snprintf(path, sizeof path, "%s/mountinfo", proc);
	if (mounts_open(&mounts, path) == ERR_OK) {
		while (mounts_next(mounts, &m))
			if (has_cpu(&m))
				n = least(n, quota_on(&m, cgroups));
		mounts_close(&mounts);
	}
	fclose(cgroups);
	return n;
}

unsigned
cpus_usable(void)
{
	return least(affinity(), cpus_quota("/proc/self"));
}
