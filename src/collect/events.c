#include "collect/events.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/param.h"
#include "collect/recent.h"
#include "collect/reply.h"
#include "collect/share.h"
#include "event/context.h"
#include "event/decode.h"
#include "event/inflate.h"

#define CONTEXT_MAX	8192
#define REJECTION_BYTES	(16 * 1024)	/* kept of what was refused */
#define REJECTIONS_A_REQUEST 20
#define IDEMPOTENCY_MAX	255
#define ROW_WEIGHT	100		/* what a row takes beside its text */
#define WEIGHT_FREE	(64 * 1024)	/* of a request, whatever was received */
#define WEIGHT_RATIO	1500		/* to what was received */

struct events {
	const struct conf *conf;
	struct stat_slot *stat;
	struct uuid_source *ids;
	struct decoder *decoder;
	struct sha256 *sha256;
	struct recent *recent;		/* NULL: there is none */
	struct buf inflated, context, reject_context;
	enum context_ip ip;
	struct share share;
};

/* One request on its way. */
struct post {
	struct events *ev;
	struct store *store;
	const struct request *q;
	const struct key *key;		/* NULL: keys are off */
	bool sync;
	struct slice body;		/* JSON text */
	int64_t received_at;
	const struct decoded *found;
	struct recent_request name;	/* of a request with an Idempotency-Key */
	enum recent_found seen;
	int wait;			/* seconds, for a key that has used up its share */
};

enum err
events_new(struct events **out, const struct conf *conf, struct stat_slot *stat,
	   struct uuid_source *ids)
{
	struct events *ev = calloc(1, sizeof *ev);
	const struct limits limits = {
		.event_bytes = conf->collect_event_bytes,
		.events = conf->collect_events,
		.depth = (unsigned)conf->collect_depth,
	};

	*out = ev;
	if (!ev)
		return ERR_NOMEM;
	ev->conf = conf;
	ev->stat = stat;
	ev->ids = ids;
	ev->ip = context_ip_parse(conf->collect_client_ip);
	buf_init(&ev->inflated, conf->collect_inflated_bytes);
	buf_init(&ev->context, CONTEXT_MAX);
	buf_init(&ev->reject_context, CONTEXT_MAX + 128);
	share_open(&ev->share, conf);
	/* only a help: without it keys are told apart by PostgreSQL alone */
	if (recent_open(&ev->recent, conf->run_dir) != ERR_OK)
		log_warning("requests.unavailable", "dir=%s cause=\"%s\"", conf->run_dir, strerror(errno));
	if (decoder_new(&ev->decoder, &limits) == ERR_OK && sha256_new(&ev->sha256) == ERR_OK)
		return ERR_OK;
	events_free(out);
	return ERR_NOMEM;
}

void
events_free(struct events **evp)
{
	struct events *ev = *evp;

	if (!ev)
		return;
	decoder_free(&ev->decoder);
	sha256_free(&ev->sha256);
	recent_close(&ev->recent);
	share_close(&ev->share);
	buf_fini(&ev->inflated);
	buf_fini(&ev->context);
	buf_fini(&ev->reject_context);
	free(ev);
	*evp = NULL;
}

static struct slice
key_name(const struct post *p)
{
	return p->key ? slice_str(p->key->name) : SLICE("");
}

static enum refusal
authorize(struct post *p, struct keys *keys)
{
	const struct credentials c = {
		.authorization = p->q->authorization, .x_api_key = p->q->x_api_key,
		.query = p->q->query, .origin = p->q->origin,
	};

	return keys ? keys_check(keys, p->ev->sha256, &c, &p->key) : REFUSE_NONE;
}

static enum refusal
read_mode(struct post *p)
{
	struct slice mode = query_param(p->q->query, "mode");

	p->sync = slice_is(mode, "sync");
	return p->sync || !mode.p ? REFUSE_NONE : REFUSE_PARAMETER;
}

/* In structured mode the event is all in the body; the headers may be there as well
 * (CloudEvents 1.0.2, HTTP binding, 3.1.3 and 3.2.2). */
static bool
is_binary_cloudevent(const struct request *q)
{
	static const char structured[] = "application/cloudevents";
	size_t n = sizeof structured - 1;

	return q->cloudevent.n > 0 &&
	    (q->content_type.n < n || strncasecmp(q->content_type.p, structured, n) != 0);
}

/* Two of them come joined by ", " from nginx 1.23 on; older ones pass the first and keep
 * silent about the other. */
static bool
is_bad_idempotency_key(struct slice s)
{
	return s.n > IDEMPOTENCY_MAX || (s.n > 0 && memmem(s.p, s.n, ", ", 2));
}

/* What is said of the body, beside it. */
static enum refusal
read_head(struct post *p)
{
	if (is_binary_cloudevent(p->q))
		return REFUSE_CLOUDEVENT;
	return is_bad_idempotency_key(p->q->idempotency_key) ? REFUSE_IDEMPOTENCY_KEY : read_mode(p);
}

/* The body as JSON text: as it came, or inflated. gzip is known by its first bytes
 * or by the header, for clients say either without the other. */
static enum refusal
undo_encoding(struct post *p)
{
	struct slice e = p->q->content_encoding;
	bool said = slice_is_token(e, "gzip") || slice_is_token(e, "x-gzip");

	p->body = p->q->body;
	if (!said && ((e.n > 0 && !slice_is_token(e, "identity")) || inflate_is_foreign(p->body)))
		return REFUSE_ENCODING;
	if (!inflate_is_gzip(p->body))
		return said && p->body.n > 0 ? REFUSE_INVALID_GZIP : REFUSE_NONE;
	switch (inflate_gzip(p->q->body, &p->ev->inflated)) {
	case ERR_OK:
		p->body = buf_slice(&p->ev->inflated);
		return REFUSE_NONE;
	case ERR_TOOBIG:
		return REFUSE_INFLATED_TOO_LARGE;
	case ERR_NOMEM:
		return REFUSE_UNAVAILABLE;
	default:
		return REFUSE_INVALID_GZIP;
	}
}

static enum refusal
make_context(struct post *p)
{
	const struct context c = {
		.protocol = "native", .client_ip = p->q->client_ip, .user_agent = p->q->user_agent,
		.request_id = p->q->request_id, .traceparent = p->q->traceparent,
	};

	buf_reset(&p->ev->context);
	context_json(&p->ev->context, &c, p->ev->ip);
	return p->ev->context.failed ? REFUSE_UNAVAILABLE : REFUSE_NONE;
}

/* Did a few bytes of gzip become thousands of events? Honest bodies, of events that are
 * all the same but for a time or a number, were found to weigh up to 1,100 times their gzip. */
static bool
is_blown_up(const struct post *p)
{
	size_t weight = p->body.n + p->found->n_rows * ROW_WEIGHT;

	return weight > WEIGHT_FREE && weight / WEIGHT_RATIO > p->q->body.n;
}

static enum refusal
decode(struct post *p)
{
	struct slice idem = p->q->idempotency_key;
	const struct decode_request r = {
		.received_at = p->received_at,
		.key = key_name(p),
		.source = p->key ? slice_str(p->key->source) : (struct slice){ NULL, 0 },
		.context = buf_slice(&p->ev->context),
		/* nginx passes a header that is not there as an empty one */
		.idempotency_key = idem.n > 0 ? idem : (struct slice){ NULL, 0 },
		.ids = p->ev->ids,
	};

	if (decode_native(p->ev->decoder, p->body, &r, &p->found) != ERR_OK)
		return REFUSE_UNAVAILABLE;
	if (p->sync && p->found->n_rows + p->found->n_refused > p->ev->conf->collect_sync_events)
		return REFUSE_TOO_MANY_EVENTS;
	if (is_blown_up(p))
		return REFUSE_TOO_MANY_EVENTS;
	return p->found->whole;
}

/* Did another body come by this Idempotency-Key? */
static enum refusal
look_name_up(struct post *p)
{
	struct events *ev = p->ev;

	if (p->q->idempotency_key.n == 0 || !ev->recent)
		return REFUSE_NONE;
	if (recent_name(ev->sha256, clock_day(p->received_at), key_name(p), p->q->idempotency_key,
	    p->body, &p->name) != ERR_OK)
		return REFUSE_UNAVAILABLE;
	p->seen = recent_look(ev->recent, &p->name);
	return p->seen == RECENT_OTHER ? REFUSE_IDEMPOTENCY_REUSED : REFUSE_NONE;
}

/* A request of which a part was refused may come again, corrected. */
static void
note_name(struct post *p)
{
	if (p->q->idempotency_key.n > 0 && p->ev->recent && p->seen == RECENT_NEW && p->found->n_refused == 0)
		recent_note(p->ev->recent, &p->name);
}

/* Everything that can be said of a request before anything is stored. */
static enum refusal
prepare(struct post *p, struct keys *keys)
{
	enum refusal why = authorize(p, keys);

	if (why == REFUSE_NONE)
		why = p->q->bad;
	if (why == REFUSE_NONE && !store_ready(p->store))
		why = REFUSE_UNAVAILABLE;
	p->wait = why == REFUSE_NONE ? share_wait(&p->ev->share, key_name(p)) : 0;
	if (p->wait > 0)
		why = REFUSE_RATE;
	if (why == REFUSE_NONE)
		why = read_head(p);
	if (why == REFUSE_NONE)
		why = make_context(p);
	if (why == REFUSE_NONE)
		why = undo_encoding(p);
	if (why == REFUSE_NONE)
		why = decode(p);
	return why == REFUSE_NONE ? look_name_up(p) : why;
}

/* The request's context with the place of what was refused. */
static struct slice
place(struct events *ev, size_t index, size_t offset)
{
	struct buf *b = &ev->reject_context;

	buf_reset(b);
	buf_put(b, ev->context.p, ev->context.n - 1);	/* without its brace */
	buf_printf(b, ",\"index\":%zu,\"offset\":%zu}", index, offset);
	return buf_slice(b);
}

/* Keeps one refused piece of input. If it cannot be kept the turn fails, and the
 * client sends again: nothing is lost by it. */
static void
keep(struct post *p, enum refusal why, struct slice raw, size_t index, size_t offset)
{
	struct row r = {
		.kind = ROW_REJECTION, .received_at = p->received_at, .time = CLOCK_UNSET,
		.key = key_name(p),
		.source = p->key ? slice_str(p->key->source) : (struct slice){ NULL, 0 },
		.reason = slice_str(refusals[why].code),
		.payload = { raw.p ? raw.p : "", raw.n < REJECTION_BYTES ? raw.n : REJECTION_BYTES },
	};

	if (!store_ready(p->store) || !share_rejection(&p->ev->share, key_name(p)))
		return;
	r.fingerprint = uuid_v7(p->ev->ids, p->received_at);
	r.context = place(p->ev, index, offset);
	if (store_append(p->store, &r, 1) == ERR_OK)
		stat_add(p->ev->stat, STAT_collect_rejections_kept_total, 1);
}

static void
keep_refused(struct post *p)
{
	const struct decoded *d = p->found;
	size_t i, n = d->n_refused < REJECTIONS_A_REQUEST ? d->n_refused : REJECTIONS_A_REQUEST;

	stat_add(p->ev->stat, STAT_collect_events_rejected_total, d->n_refused);
	for (i = 0; i < n; i++)
		keep(p, d->errors[i].code, d->errors[i].raw, d->errors[i].index, d->errors[i].offset);
}

/* A refusal of the whole request. The bodies of strangers are never kept, and
 * those of requests that shall be sent again need not be. */
static void
refuse_request(struct post *p, enum refusal why, struct reply *reply)
{
	const struct decoded *d = p->found && p->found->whole == why ? p->found : NULL;
	int status = refusals[why].status;

	if (status != 401 && status != 403 && status != 429 && status != 503 && make_context(p) == REFUSE_NONE) {
		stat_add(p->ev->stat, STAT_collect_events_rejected_total, 1);
		keep(p, why, p->body.p ? p->body : p->q->body, 0, d ? d->whole_offset : 0);
	}
	reply_problem(reply, why, d);
	if (why == REFUSE_RATE)
		reply->retry_after = p->wait;
}

static void
store(struct post *p, struct reply *reply)
{
	const struct decoded *d = p->found;

	if (store_append(p->store, d->rows, d->n_rows) != ERR_OK) {
		reply_problem(reply, REFUSE_UNAVAILABLE, NULL);
		return;
	}
	note_name(p);
	share_took(&p->ev->share, key_name(p), d->n_rows, d->n_times_unread);
	stat_add(p->ev->stat, STAT_collect_times_unread_total, d->n_times_unread);
	if (p->sync)
		reply_created(reply, store_segment(p->store), d);
	else
		reply_accepted(reply, store_segment(p->store), d);
}

void
events_post(struct events *ev, struct store *st, struct keys *keys, const struct request *q,
	    struct reply *reply)
{
	struct post p = {
		.ev = ev, .store = st, .q = q, .received_at = clock_us(),
	};
	enum refusal why = prepare(&p, keys);

	reply->weight = p.body.n + (p.found ? p.found->n_rows * ROW_WEIGHT : 0);
	if (why != REFUSE_NONE) {
		refuse_request(&p, why, reply);
		return;
	}
	if (p.sync && p.found->n_refused > 0)
		reply_refused(reply, p.found, p.body);
	else if (p.found->n_rows == 0)
		reply_problem(reply, p.found->errors[0].code, p.found);
	else
		store(&p, reply);
	keep_refused(&p);
}

void
events_end_turn(struct events *ev, bool stored)
{
	if (ev->recent)
		recent_end_turn(ev->recent, stored);
}
