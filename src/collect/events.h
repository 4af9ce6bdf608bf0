/*
 * POST /v1/events: from a request to rows in the turn, and the answer.
 */
#ifndef COLLECT_EVENTS_H
#define COLLECT_EVENTS_H

#include "base/conf.h"
#include "base/stat.h"
#include "collect/fcgi.h"
#include "collect/keys.h"
#include "collect/store.h"

struct events;

/* conf, stat and ids must outlive it. ERR_NOMEM. */
enum err events_new(struct events **, const struct conf *, struct stat_slot *,
		    struct uuid_source *ids) MUST_CHECK;
void events_free(struct events **);

/* keys NULL: keys are off. */
void events_post(struct events *, struct store *, struct keys *, const struct request *,
		 struct reply *);
/* The turn of those requests has ended. stored: its commit returned success. */
void events_end_turn(struct events *, bool stored);

#endif
