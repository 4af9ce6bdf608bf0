/*
 * The master: forks workers, replaces the dead, forwards signals, talks to
 * systemd. It touches no data, so that nothing a client sends can hurt it.
 */
#ifndef COLLECT_MASTER_H
#define COLLECT_MASTER_H

#include <signal.h>
#include <sys/types.h>

#include "base/conf.h"
#include "base/stat.h"
#include "collect/handover.h"

struct master_args {
	const struct conf *conf;
	int listen_fd;
	uid_t peer;
	/* What a worker does, in its own process; the result is its exit status. */
	int (*work)(const struct conf *, unsigned slot, int listen_fd, uid_t peer, pid_t master);
	struct stat_file *stats;	/* slots for two generations of workers */
	const struct handover *before;	/* workers of this process's former self; may be none */
};

/* What workers are told. The collector stops: /readyz says no from now on, and all is
 * served as before for a part of collect.stop_timeout, so that a load balancer has time to see it; then as below. */
#define WORKER_STOP	SIGTERM
/* Others serve in its place, or its master is gone: accepts nothing more, serves the
 * connections that it has until nginx has closed them or collect.stop_timeout is over. */
#define WORKER_LEAVE	SIGINT

/*
 * SIGTERM, SIGINT: drain and stop. SIGHUP: run the program anew (handover.h), which
 * rolls the workers: new ones are ready before old ones retire. A program that
 * would not start is not run. Returns the exit status.
 */
int master_run(struct master_args *);

#endif
