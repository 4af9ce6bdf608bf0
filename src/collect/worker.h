/*
 * A worker: one epoll loop. A turn reads every request that is ready, commits
 * once, and answers all; so the group commit falls out of the loop.
 */
#ifndef COLLECT_WORKER_H
#define COLLECT_WORKER_H

#include <sys/types.h>

#include "base/conf.h"
#include "base/stat.h"

struct worker_args {
	const struct conf *conf;
	struct stat_slot *slot;		/* this worker's; phase and heartbeat are set here */
	int listen_fd;
	uid_t peer;			/* nginx's user */
	pid_t master;			/* a worker without it stops */
};

/* Runs in a freshly forked process with all signals but SIGABRT blocked, until
 * it is told to stop or to leave (master.h) and has no connection any more. Returns the
 * exit status. */
int worker_run(const struct worker_args *);

#endif
