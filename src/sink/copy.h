/*
 * Rows in the format of COPY ... (FORMAT binary), PostgreSQL's documentation of
 * COPY, "Binary Format". Columns stand in the order of the *_COLUMNS lists.
 */
#ifndef SINK_COPY_H
#define SINK_COPY_H

#include <stdint.h>

#include "base/buf.h"
#include "event/row.h"

#define COPY_EVENT_COLUMNS \
	"received_at, fingerprint, key, source, id, type, subject, time, payload, context, segment, seq"
#define COPY_REJECTION_COLUMNS \
	"received_at, reason, key, source, id, type, subject, time, payload, context, segment, seq"

void copy_header(struct buf *);
void copy_trailer(struct buf *);
/* ord < 0: the event table's columns; else ord comes first, for the staging table. */
void copy_event(struct buf *, const struct row *, struct uuid segment, int32_t ord);
void copy_rejection(struct buf *, const struct row *, struct uuid segment);
/* uuid[] as a binary parameter: its head, then n times copy_uuid(). */
void copy_uuid_array(struct buf *, size_t n);
void copy_uuid(struct buf *, struct uuid);

#endif
