/*
 * /metrics: what Prometheus scrapes, in its text format 0.0.4.
 */
#ifndef COLLECT_METRICS_H
#define COLLECT_METRICS_H

#include "base/buf.h"
#include "base/conf.h"

#define METRICS_TYPE	"text/plain; version=0.0.4; charset=utf-8"

/*
 * Writes collector and flusher in one: the counters of run.dir, of all workers, and
 * what is seen of the journal's directory from outside. It reads no segment, so any
 * worker may answer. A program that has not run since boot, and a directory that
 * cannot be read, are left out.
 */
void metrics_write(struct buf *, const struct conf *, bool draining);

#endif
