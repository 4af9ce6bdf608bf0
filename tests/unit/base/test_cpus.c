/* CPUs that may be used: quotas of cgroups as the kernel shows them, on a copy of its files. */
#include <sched.h>
#include <sys/stat.h>

#include "base/cpus.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static char dir[TMP_PATH];

static void
put(const char *name, const char *text)
{
	char path[2 * TMP_PATH], *slash;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	for (slash = path + strlen(dir) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	tmp_write(path, text);
}

/* The process is in `cgroups`; what is mounted at `at`, of `root`, is of `type`. */
static void
here(const char *cgroups, const char *root, const char *at, const char *type)
{
	char text[1024];

	put("cgroup", cgroups);
	snprintf(text, sizeof text, "22 27 0:21 / /proc rw shared:1 - proc proc rw\n"
	    "30 22 0:26 %s %s/%s rw,nosuid shared:9 - %s\n", root, dir, at, type);
	put("mountinfo", text);
}

static void
test_v2(void)
{
	here("0::/system.slice/forebay.service\n", "/", "v2", "cgroup2 cgroup2 rw,nsdelegate");
	put("v2/cgroup.controllers", "cpu\n");
	is_int(cpus_quota(dir), 0, "version 2: without a quota");
	put("v2/system.slice/forebay.service/cpu.max", "max 100000\n");
	is_int(cpus_quota(dir), 0, "max is none");
	put("v2/system.slice/forebay.service/cpu.max", "200000 100000\n");
	is_int(cpus_quota(dir), 2, "two CPUs' worth");
	put("v2/system.slice/forebay.service/cpu.max", "150000 100000\n");
	is_int(cpus_quota(dir), 2, "one and a half are two");
	put("v2/system.slice/forebay.service/cpu.max", "10000 100000\n");
	is_int(cpus_quota(dir), 1, "a tenth is one");
	put("v2/system.slice/forebay.service/cpu.max", "800000 100000\n");
	put("v2/system.slice/cpu.max", "300000 100000\n");
	is_int(cpus_quota(dir), 3, "one above it has less");
	put("v2/system.slice/cpu.max", "900000 100000\n");
	is_int(cpus_quota(dir), 8, "or more");
	put("v2/system.slice/forebay.service/cpu.max", "nonsense\n");
	is_int(cpus_quota(dir), 9, "what is no number is none");
}

static void
test_container(void)
{
	here("0::/\n", "/", "ns", "cgroup2 cgroup rw");
	put("ns/cpu.max", "400000 100000\n");
	is_int(cpus_quota(dir), 4, "in a cgroup namespace the quota is at the top");
	here("0::/docker/abc/inner\n", "/docker/abc", "part", "cgroup2 cgroup rw");
	put("part/inner/cpu.max", "500000 100000\n");
	is_int(cpus_quota(dir), 5, "without one the mount shows a part");
	here("0::/../other\n", "/docker/abc", "part", "cgroup2 cgroup rw");
	put("part/cpu.max", "600000 100000\n");
	is_int(cpus_quota(dir), 6, "a cgroup that is not in it: what is at its top");
	here("0::/docker/abcd\n", "/docker/abc", "part", "cgroup2 cgroup rw");
	put("partd/cpu.max", "700000 100000\n");
	is_int(cpus_quota(dir), 6, "nor is one whose name only begins like it");
}

static void
test_v1(void)
{
	here("4:memory:/m\n3:cpuset:/s\n2:cpu,cpuacct:/box\n0::/\n", "/", "v1/cpu", "cgroup cgroup rw,cpu,cpuacct");
	put("v1/cpu/box/cpu.cfs_quota_us", "-1\n");
	put("v1/cpu/box/cpu.cfs_period_us", "100000\n");
	is_int(cpus_quota(dir), 0, "version 1: -1 is none");
	put("v1/cpu/box/cpu.cfs_quota_us", "350000\n");
	is_int(cpus_quota(dir), 4, "three and a half are four");
	here("3:cpuset:/box\n2:cpuacct:/box\n", "/", "v1/cpu", "cgroup cgroup rw,cpu");
	is_int(cpus_quota(dir), 0, "cpuset and cpuacct are other controllers");
}

static void
test_affinity(void)
{
	cpu_set_t all, one;
	int cpu = 0;

	ok(cpus_usable() >= 1, "there is one at least");
	if (sched_getaffinity(0, sizeof all, &all) != 0)
		return;
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
	is_int(cpus_usable(), 1, "bound to one CPU it is one");
	sched_setaffinity(0, sizeof all, &all);
}

int
main(void)
{
	tmp_make(dir);
	is_int(cpus_quota(dir), 0, "no files, no quota");
	test_v2();
	test_container();
	test_v1();
	test_affinity();
	tmp_remove(dir);
	return done();
}
