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
/* SELECT lists that make rows of them: in a list unnest() gives row by row, in FROM each
 * array is written out first. */
#define COPY_EVENT_ARRAYS \
	"unnest($1::timestamptz[]), unnest($2::uuid[]), unnest($3::text[]), unnest($4::text[])," \
	" unnest($5::text[]), unnest($6::text[]), unnest($7::text[]), unnest($8::timestamptz[])," \
	" unnest($9::jsonb[]), unnest($10::jsonb[]), unnest($11::uuid[]), unnest($12::bigint[])"
#define COPY_REJECTION_ARRAYS \
	"unnest($1::timestamptz[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[])," \
	" unnest($5::text[]), unnest($6::text[]), unnest($7::text[]), unnest($8::timestamptz[])," \
	" unnest($9::bytea[]), unnest($10::jsonb[]), unnest($11::uuid[]), unnest($12::bigint[])"

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
