/*
 * A sink without PostgreSQL: takes every row and remembers, in memory, only how far each
 * segment's progress is. What the flusher does with a sink can be tested with it.
 */
#ifndef TESTS_NULL_SINK_H
#define TESTS_NULL_SINK_H

#include "sink/sink.h"

/* ERR_NOMEM; sink->ops->close() frees it. */
enum err null_sink_open(struct sink **) MUST_CHECK;

#endif
