/*
 * How many CPUs this process may use: what sched_setaffinity(2) (taskset, CPUAffinity=,
 * cpusets) leaves, and no more than the quota of its cgroup and of those above it
 * (CPUQuota=, docker --cpus), rounded up. At least 1.
 */
#ifndef BASE_CPUS_H
#define BASE_CPUS_H

unsigned cpus_usable(void);

/* The quota alone, as in the files cgroup and mountinfo of that directory, which is
 * /proc/self but for tests. 0: there is none. */
unsigned cpus_quota(const char *proc);

#endif
