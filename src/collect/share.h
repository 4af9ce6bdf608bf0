/*
 * What each write key may take: events a second (collect.key_events_per_s), and its
 * part of the rejections that are kept; and what is counted by key. All workers of
 * the node count together (base/tally.h). Without keys all senders are one.
 */
#ifndef COLLECT_SHARE_H
#define COLLECT_SHARE_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/tally.h"

struct share {
	const struct conf *conf;
	struct tally tally;		/* without entries: there is none, and no share is bounded */
	int64_t minute_ms;		/* rejections of this worker: when the minute began */
	uint64_t kept;			/* in it */
};

/* conf must outlive it. Without a table it goes on, and says so in the log. */
void share_open(struct share *, const struct conf *);
void share_close(struct share *);

/* How many seconds the key has to wait before it may send again; 0: it may. A request is
 * taken as a whole, and what it is over is made good by those after it. */
int share_wait(struct share *, struct slice key);
/* The key's request was taken, with so many events. */
void share_took(struct share *, struct slice key, size_t events, size_t times_unread);
/* May one more rejection be kept? No key takes more than half of what a worker keeps. */
bool share_rejection(struct share *, struct slice key);

#endif
