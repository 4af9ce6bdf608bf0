/*
 * The schema's migrations: numbered SQL files, applied in order, each in one
 * transaction, under one advisory lock; no state of the session is left behind, so
 * that a pooler may be between. For a command that a person runs: waits are libpq's own.
 */
#ifndef SINK_SCHEMA_H
#define SINK_SCHEMA_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/err.h"

enum schema_state { SCHEMA_PRESENT, SCHEMA_PENDING, SCHEMA_APPLIED };
/* Told of each file in order; present ones too. */
typedef void schema_report(void *arg, const char *name, enum schema_state);

/*
 * Applies what is missing of DIR/NNNN-*.sql, after a look at whether it can be done.
 * conninfo NULL: flush.conninfo with flush.password_file; else conf may be NULL.
 * dry_run: says what is pending and changes nothing. ERR_INVALID: an applied file was
 * changed or a file is wrong; ERR_BUSY: somebody is in the way; ERR_DOWN: no connection;
 * ERR_SETUP: role, database or server will not do as they are; ERR_IO: files.
 */
enum err schema_migrate(const struct conf *, const char *conninfo, const char *dir, bool dry_run,
			schema_report *, void *arg, char errmsg[1024]) MUST_CHECK;

/* Says what of forebay.event the flusher may drop: what is older than `ms` milliseconds, 0:
 * nothing. Connects as schema_migrate(), with the same errors. */
enum err schema_retention(const struct conf *, const char *conninfo, int64_t ms, char errmsg[1024]) MUST_CHECK;

#endif
