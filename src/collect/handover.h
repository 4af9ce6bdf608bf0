/*
 * Reload: the master runs its program anew in its own process, so that settings
 * and binary are read again and systemd keeps its main process. The listening
 * socket and the old workers stay; this file carries them across, in the
 * environment.
 */
#ifndef COLLECT_HANDOVER_H
#define COLLECT_HANDOVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define HANDOVER_MAX	512	/* children */

struct handover_child {
	pid_t pid;
	unsigned slot;
	long long kill_at_ms;	/* told to leave: when it is killed; 0: not told */
};
struct handover {
	int listen_fd;
	struct handover_child children[HANDOVER_MAX];
	unsigned n;
};

/* Remembers how this process was called; first thing in main(). */
void handover_init(char **argv);

/* Was this program started by handover_exec()? Takes the state out of the
 * environment. */
bool handover_take(struct handover *);

/* Would the program start? Runs it with -t and waits, eleven seconds at most, in which
 * systemd's watchdog hears of us. */
bool handover_test(void);

/* Runs the program anew. Returns only when that failed; nothing has changed then. */
void handover_exec(const struct handover *);

#endif
