/*
 * Counters in shared memory: a file of slots in run.dir, described by
 * counters.def. Each slot has one writer, so there are no locks; a reader sees
 * each counter whole but not all of one instant. A slot outlives its writer:
 * who takes it over goes on counting from there, so totals never fall.
 */
#ifndef BASE_STAT_H
#define BASE_STAT_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum stat_counter {
#define COUNTER(program, name, kind, metric, doc) STAT_##program##_##name,
#define REFUSAL(name, code, status, message) STAT_collect_answers_##name,
#include "counters.def"
	STAT_COUNT
};

enum stat_times {
#define TIMES(program, name, metric, doc) TIMES_##program##_##name,
#include "counters.def"
	TIMES_COUNT
};

/* How long something took: n[i] counts what took at most stat_bounds_us[i], the
 * last one what took longer. */
#define STAT_BUCKETS	15
struct stat_histogram { uint64_t us, n[STAT_BUCKETS]; };
extern const uint32_t stat_bounds_us[STAT_BUCKETS - 1];

struct stat_slot {
	int32_t pid;			/* 0: free */
	uint32_t phase;			/* enum stat_phase, for the master */
	int64_t heartbeat_ms;		/* CLOCK_MONOTONIC of the last turn */
	uint64_t v[STAT_COUNT];
	struct stat_histogram t[TIMES_COUNT];
} __attribute__((aligned(64)));

enum stat_phase { PHASE_STARTING, PHASE_READY, PHASE_STOPPING };

#define STAT_COLLECT_FILE	"collect.stat"
#define STAT_FLUSH_FILE		"flush.stat"

struct stat_file {
	struct stat_slot *slots;
	uint32_t n;
};

/* Creates or takes over DIR/NAME with n slots, or more; a file of another shape or
 * of fewer is replaced. The mapping is shared over fork. */
enum err stat_create(struct stat_file *, const char *dir, const char *name, uint32_t n) MUST_CHECK;
/* Maps it for reading; ERR_DOWN when it is not there. */
enum err stat_open(struct stat_file *, const char *dir, const char *name) MUST_CHECK;
void stat_close(struct stat_file *);

/* Sums over all slots. */
uint64_t stat_sum(const struct stat_file *, enum stat_counter);
struct stat_histogram stat_times_sum(const struct stat_file *, enum stat_times);

static inline void
stat_add(struct stat_slot *s, enum stat_counter c, uint64_t n)
{
	/* one writer: a plain load and an atomic store suffice */
	__atomic_store_n(&s->v[c], s->v[c] + n, __ATOMIC_RELAXED);
}

static inline void
stat_set(struct stat_slot *s, enum stat_counter c, uint64_t n)
{
	__atomic_store_n(&s->v[c], n, __ATOMIC_RELAXED);
}

/* Something took us microseconds; by the slot's writer only. */
void stat_observe(struct stat_slot *, enum stat_times, int64_t us);

struct stat_info { const char *program, *name, *kind, *metric, *doc; };
extern const struct stat_info stat_infos[STAT_COUNT];
extern const struct stat_info stat_times_infos[TIMES_COUNT];	/* kind: HISTOGRAM */

#endif
