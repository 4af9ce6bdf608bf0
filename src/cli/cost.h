/*
 * What the traffic that a node has seen costs on AWS: this node's way, and others'.
 * The prices and the assumptions stand in cost.c, the arithmetic in doc/COST.md.
 */
#ifndef CLI_COST_H
#define CLI_COST_H

#include <stdbool.h>
#include <stdint.h>

struct cost_traffic {
	double seconds;			/* since the first of it */
	uint64_t requests, events, bytes;	/* bytes: of payload */
	uint64_t volume;		/* the journal's volume, in bytes */
};

/* One line for each part, or one JSON object. */
void cost_print(const struct cost_traffic *, bool json);

#endif
