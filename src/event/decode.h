/*
 * From a request body to rows. Pure: no I/O, no clock of its own. One decoder for
 * each worker, reused for every request; it is neither shared nor inherited over
 * fork.
 *
 * The grammar is yajl's, in one pass over the whole body; what PostgreSQL's jsonb
 * would refuse on top of it is checked by validate.h. An accepted event's payload
 * is the original slice of the body, never text that yajl has decoded (INV-4).
 */
#ifndef EVENT_DECODE_H
#define EVENT_DECODE_H

#include "base/err.h"
#include "event/refusal.h"
#include "event/row.h"

struct limits {
	size_t event_bytes;	/* largest event */
	size_t events;		/* most events in a request */
	unsigned depth;		/* deepest nesting of an event; its own braces are level 1 */
};

#define DECODE_ERRORS_MAX 1000	/* refused events that are described */

struct refused {
	size_t index;		/* place of the event in the request, from 0, refused ones counted */
	enum refusal code;
	size_t offset;		/* byte in the (inflated) body; of bad JSON in or before the wrong token */
	struct slice raw;	/* the event, or the line, in the body */
};

struct decoded {
	struct row *rows;	/* the storable events, in order */
	size_t n_rows;
	size_t n_times_unread;	/* rows whose `time` is there and cannot be read */
	size_t n_refused;	/* events refused; the first DECODE_ERRORS_MAX are in errors[] */
	struct refused errors[DECODE_ERRORS_MAX];
	enum refusal whole;	/* REFUSE_NONE, or why the whole body is refused (n_rows is 0 then) */
	size_t whole_offset;
};

/* What is the same for every event of a request. */
struct decode_request {
	int64_t received_at;	/* microseconds since 1970 UTC */
	struct slice key;	/* write key's name, "" when keys are off */
	struct slice source;	/* the key's source; NULL: take the event's own */
	struct slice context;	/* JSON object, goes to every row */
	struct slice idempotency_key;	/* the header; NULL: the events' own ids count */
	struct uuid_source *ids; /* makes ids for events that have none */
};

struct decoder;

enum err decoder_new(struct decoder **, const struct limits *) MUST_CHECK;
void decoder_free(struct decoder **);

/*
 * Native form: an array of objects, or objects one behind the other (one, NDJSON, a
 * JSON text sequence), told apart by content (decode.c has the rule). A syntax error
 * refuses the whole body; lines and texts of a sequence stand alone; what cannot be
 * stored is refused event by event.
 *
 * The result, its rows and their slices point into body, req and the decoder and
 * live until the next call or until body goes. ERR_OK also when everything is
 * refused; ERR_NOMEM.
 */
enum err decode_native(struct decoder *, struct slice body, const struct decode_request *req,
		       const struct decoded **out) MUST_CHECK;

#endif
