/*
 * Being told to stop or to reload, and saying that we live: signals, systemd's
 * watchdog, and sleep that ends when a signal comes.
 */
#ifndef FLUSH_LIFE_H
#define FLUSH_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/stat.h"

struct life {
	bool stopping;		/* SIGTERM or SIGINT came */
	bool hang_up;		/* SIGHUP came, and nothing of the former after it; the reader clears it */
	int64_t stop_by;	/* when to give up what is left, by clock_mono_ms() */
	/* private */
	int signals;
	int64_t stop_ms, ping_ms, next_ping;
	struct stat_slot *stat;
};

/* Blocks the signals and opens their fd. */
void life_init(struct life *);
/* From here on; stop_ms: how long stopping may take. */
void life_begin(struct life *, struct stat_slot *, int64_t stop_ms);
/* To be called at least every second: heartbeat, watchdog, signals. true: stopping,
 * and the time is up. */
bool life_tick(struct life *);
/* Sleeps until then (clock_mono_ms()), at most a second, or until a signal, or until the
 * eventfd `woken` is written, which is read. */
void life_wait(struct life *, int64_t when, int woken);

#endif
