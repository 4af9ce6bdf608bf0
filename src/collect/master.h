/*
 * The master: forks workers, replaces the dead, forwards signals, talks to
 * systemd. It touches no data, so that nothing a client sends can hurt it.
 */
#ifndef COLLECT_MASTER_H
#define COLLECT_MASTER_H

#include <sys/types.h>

#include "base/conf.h"
#include "base/stat.h"

struct master_args {
	struct conf *conf;		/* the master's; replaced on SIGHUP */
	const struct conf_args *conf_args;	/* how to load it again */
	int listen_fd;
	uid_t peer;
	/* What a worker does, in its own process; the result is its exit status. */
	int (*work)(const struct conf *, unsigned slot, int listen_fd, uid_t peer, pid_t master);
	struct stat_file *stats;	/* slots for two generations of workers */
};

/*
 * SIGTERM, SIGINT: drain and stop. SIGHUP: read the settings anew and roll the
 * workers, new ones ready before old ones retire. Returns the exit status.
 */
int master_run(struct master_args *);

#endif
