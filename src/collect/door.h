/*
 * The door: what a worker does with requests. Decodes, appends to its segment,
 * answers; commits once a turn. One for each worker, made after fork.
 */
#ifndef COLLECT_DOOR_H
#define COLLECT_DOOR_H

#include "base/conf.h"
#include "base/stat.h"
#include "collect/fcgi.h"

struct door;

/* conf and stat must outlive it. A segment that cannot be made now is tried again
 * in door_tick(): the door stands, and answers 503. */
enum err door_open(struct door **, const struct conf *, struct stat_slot *) MUST_CHECK;
/* Ends the segment; no turn may be open. */
void door_close(struct door **);

/*
 * Serves one request: fills reply, which was reset. When reply->durable is set the
 * answer may be sent only after door_commit() said true; otherwise send
 * door_unavailable() in its place.
 */
void door_serve(struct door *, const struct request *, struct reply *);

/* The collector is told to stop: not ready from now on, and serves on. */
void door_stop(struct door *);

/* Ends the turn: true when every durable reply of the turn holds. */
bool door_commit(struct door *);
void door_unavailable(struct reply *);
/* When all of the turn have their answers: what takes time and nobody waits for. */
void door_answered(struct door *);

/* Once a second: rotation, space, the drain mark, a new segment after a failure.
 * No turn may be open. */
void door_tick(struct door *);

#endif
