/*
 * Which rows each lane gets, and when its batch may go.
 */
#ifndef FLUSH_FEED_H
#define FLUSH_FEED_H

#include "flush/lane.h"
#include "flush/tracker.h"

/* A batch for each lane that has none, as far as there are rows: of segments that no
 * lane has, else of those whose rows have to wait for their forerunners. Lanes that lack a
 * connection are sent for one when there is work for them. */
void feed_fill(struct lane *lanes, size_t n, struct tracker *);
/* Ships the batches that wait for nothing any more. */
void feed_send(struct lane *lanes, size_t n, struct tracker *);

#endif
