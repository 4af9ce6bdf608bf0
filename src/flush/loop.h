/*
 * The flusher's loop: journal on the one side, lanes to PostgreSQL on the other. There is
 * one in a process.
 */
#ifndef FLUSH_LOOP_H
#define FLUSH_LOOP_H

#include "base/conf.h"
#include "base/stat.h"

/* conf, slot and node have to outlive it. From here on signals are blocked and read.
 * ERR_NOMEM: no memory, threads or descriptors. */
enum err loop_open(const struct conf *, struct stat_slot *, const char *node) MUST_CHECK;
void loop_close(void);

enum loop_end { LOOP_EMPTY, LOOP_PENDING, LOOP_HANG_UP };

/* Until it is told to stop and what stood in the journal by then is in PostgreSQL, or the
 * time is up: LOOP_EMPTY if nothing at all is left, else LOOP_PENDING. Or until SIGHUP, when
 * nothing is on its way: then it can be called again. */
enum loop_end loop_run(void);

#endif
