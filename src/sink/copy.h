/*
 * Rows in the format of COPY ... (FORMAT binary), PostgreSQL's documentation of
 * COPY, "Binary Format", and as arrays in binary parameters (array_recv() in its
 * source): fields look the same in both. Columns stand in the order of the *_COLUMNS
 * lists.
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

#define COPY_COLUMNS	12
#define COPY_EVENT_ARRAYS \
	"$1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]," \
	" $8::timestamptz[], $9::jsonb[], $10::jsonb[], $11::uuid[], $12::bigint[]"
#define COPY_REJECTION_ARRAYS \
	"$1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]," \
	" $8::timestamptz[], $9::bytea[], $10::jsonb[], $11::uuid[], $12::bigint[]"

void copy_header(struct buf *);
void copy_trailer(struct buf *);
void copy_event(struct buf *, const struct row *, struct uuid segment);
void copy_rejection(struct buf *, const struct row *, struct uuid segment);

/* An array for each column: its head, then a field for each of n rows. */
void copy_event_heads(struct buf column[COPY_COLUMNS], size_t n);
void copy_event_fields(struct buf column[COPY_COLUMNS], const struct row *, struct uuid segment);
void copy_rejection_heads(struct buf column[COPY_COLUMNS], size_t n);
void copy_rejection_fields(struct buf column[COPY_COLUMNS], const struct row *, struct uuid segment);

/* uuid[], bigint[] and jsonb[]: the head, then n times copy_uuid(), copy_int64() or copy_jsonb(). */
void copy_uuid_array(struct buf *, size_t n);
void copy_uuid(struct buf *, struct uuid);
void copy_int64_array(struct buf *, size_t n);
void copy_jsonb_array(struct buf *, size_t n);
void copy_jsonb(struct buf *, struct slice);
void copy_int64(struct buf *, int64_t);

#endif
