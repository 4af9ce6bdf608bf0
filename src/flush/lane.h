/*
 * A lane: a connection to PostgreSQL, a batch, and the thread that makes the one and ships
 * the other over it. Handing over instead of sharing: from lane_send() until lane_landed()
 * all of it but the fields said below is the thread's, else the caller's; there is no lock.
 */
#ifndef FLUSH_LANE_H
#define FLUSH_LANE_H

#include <pthread.h>

#include "flush/ship.h"

struct lane {
	struct sink *sink;
	struct batch batch;		/* the thread only reads it */
	struct ship ship;
	struct shipped shipped;		/* what came of the batch */
	enum err err;			/* how the job ended; the sink or ship has the words */
	/* the caller's at all times */
	enum { LANE_IDLE, LANE_FILLED, LANE_BUSY } state;
	enum lane_job { LANE_CONNECT, LANE_SHIP } job;	/* the last one */
	bool connected;
	bool full;			/* there was more than fitted into the batch */
	int64_t next_try;		/* to connect, by clock_mono_ms() */
	int64_t sent_ms;
	/* private */
	pthread_t thread;
	bool (*tick)(void *arg);
	int go, done;			/* eventfds: there is a job; the caller is woken */
	bool at_work, quit;
};

/* Takes over the sink, in errors too. `done` is an eventfd that is written when a job
 * has landed. ERR_NOMEM: no memory, no thread. Signals have to be blocked before. */
enum err lane_open(struct lane *, struct sink *, const struct conf *, struct ship_cap *, int done) MUST_CHECK;
/* Waits for a job on its way, which gives up at the next tick() of the sink. */
void lane_close(struct lane *);

/* Connects, or ships the batch. */
void lane_send(struct lane *, enum lane_job);
/* Once for each lane_send(), when the job has ended: true, and the lane is idle. */
bool lane_landed(struct lane *);

#endif
