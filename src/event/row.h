/*
 * A row: what the journal stores and PostgreSQL receives. One type for the whole
 * path, so that journal and sink need not know each other.
 *
 * All slices are borrowed; who makes a row says until when they live. A slice
 * with p == NULL is absent (SQL NULL).
 */
#ifndef EVENT_ROW_H
#define EVENT_ROW_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"

#define ATTRIBUTE_MAX	256	/* bytes of id, source, type, subject */

enum row_kind { ROW_EVENT = 0, ROW_REJECTION = 1 };

struct row {
	int64_t seq;		/* 1, 2, 3 ... without a hole in its segment; the journal gives it */
	int64_t head;		/* seq of the first row of the same request */
	enum row_kind kind;
	int64_t received_at;	/* microseconds since 1970 UTC, by the collector's clock */
	int64_t time;		/* the event's own time, or CLOCK_UNSET */
	struct uuid fingerprint; /* equal for two deliveries of one event */
	struct slice key;	/* the write key's name; empty when keys are off */
	struct slice source, id, type, subject;
	struct slice payload;	/* JSON text as posted, byte for byte */
	struct slice context;	/* JSON object about the request */
	struct slice reason;	/* rejections: code from errors.def */
};

#endif
