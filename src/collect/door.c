#include "collect/door.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/metrics.h"
#include "collect/reply.h"
#include "config.h"
#include "event/context.h"
#include "event/decode.h"
#include "event/inflate.h"
#include "journal/dir.h"
#include "journal/journal.h"

#define RETRY_MIN_MS	100
#define RETRY_MAX_MS	5000
#define CONTEXT_MAX	8192

struct door {
	const struct conf *conf;
	struct stat_slot *stat;
	struct decoder *decoder;
	struct buf inflated, context;
	struct uuid_source ids;
	enum context_ip ip;
	char node[160];

	struct journal *journal;	/* NULL: none at the moment */
	int64_t born_ms;		/* of the segment */
	int64_t retry_at_ms, retry_ms;	/* when to try for a new one */
	const char *short_of;		/* space: what is missing, or NULL */
	bool draining;

	uint64_t turn_events, turn_bytes;	/* counted once they are durable */
};

static bool
is_ready(const struct door *d)
{
	return d->journal && !d->short_of;
}

static void
open_segment(struct door *d)
{
	char errmsg[256];
	int64_t now = clock_mono_ms();
	enum err e;

	if (d->journal || now < d->retry_at_ms)
		return;
	e = journal_open(&d->journal, d->conf->journal_dir, uuid_v7(&d->ids, clock_us()), d->node, errmsg);
	if (e == ERR_OK) {
		if (d->retry_ms > RETRY_MIN_MS)
			log_info("journal.recovered", "a new segment could be made");
		d->retry_ms = RETRY_MIN_MS;
		d->born_ms = now;
		stat_add(d->stat, STAT_collect_segments_total, 1);
		return;
	}
	log_limited(LOG_ERROR, "journal.unavailable", "error=%s dir=%s cause=\"%s\" answering=503",
	    err_name(e), d->conf->journal_dir, errmsg);
	d->retry_at_ms = now + d->retry_ms;
	d->retry_ms = d->retry_ms * 2 < RETRY_MAX_MS ? d->retry_ms * 2 : RETRY_MAX_MS;
}

/* Any error is final for the segment: what it holds is the flusher's, and a new
 * one is begun. */
static void
give_up_segment(struct door *d, enum err e)
{
	log_limited(LOG_ERROR, "journal.failed", "error=%s cause=\"%s\" action=\"a new segment\"",
	    err_name(e), journal_errmsg(d->journal));
	stat_add(d->stat, STAT_collect_segments_failed_total, 1);
	journal_close(&d->journal);
	open_segment(d);
}

enum err
door_open(struct door **out, const struct conf *conf, struct stat_slot *stat)
{
	struct door *d = calloc(1, sizeof *d);
	const struct limits limits = {
		.event_bytes = conf->collect_event_bytes,
		.events = conf->collect_events,
		.depth = (unsigned)conf->collect_depth,
	};

	*out = NULL;
	if (!d || decoder_new(&d->decoder, &limits) != ERR_OK) {
		free(d);
		return ERR_NOMEM;
	}
	d->conf = conf;
	d->stat = stat;
	d->ip = context_ip_parse(conf->collect_client_ip);
	d->retry_ms = RETRY_MIN_MS;
	buf_init(&d->inflated, conf->collect_inflated_bytes);
	buf_init(&d->context, CONTEXT_MAX);
	uuid_source_init(&d->ids);
	snprintf(d->node, sizeof d->node, "%s", conf->journal_node);
	if (d->node[0] == '\0' && gethostname(d->node, sizeof d->node - 1) != 0)
		snprintf(d->node, sizeof d->node, "unknown");
	door_tick(d);
	*out = d;
	return ERR_OK;
}

void
door_close(struct door **dp)
{
	struct door *d = *dp;

	if (!d)
		return;
	journal_close(&d->journal);
	decoder_free(&d->decoder);
	buf_fini(&d->inflated);
	buf_fini(&d->context);
	stat_set(d->stat, STAT_collect_ready, 0);
	free(d);
	*dp = NULL;
}

static void
check_space(struct door *d)
{
	const struct dir_limits limits = {
		d->conf->journal_cap_pct, d->conf->journal_floor_pct, d->conf->journal_floor_bytes,
	};
	struct dir_space space;
	const char *missing = NULL;

	if (dir_space(d->conf->journal_dir, &space) == ERR_OK)
		missing = dir_short(&space, &limits);
	if (missing && !d->short_of)
		log_warning("journal.full", "cause=\"%s\" free=%llu used=%llu answering=503", missing,
		    (unsigned long long)space.free, (unsigned long long)space.used);
	else if (!missing && d->short_of)
		log_info("journal.room", "free=%llu used=%llu answering=202",
		    (unsigned long long)space.free, (unsigned long long)space.used);
	d->short_of = missing;
}

static void
check_drain(struct door *d)
{
	char path[1024];

	snprintf(path, sizeof path, "%s/draining", d->conf->run_dir);
	d->draining = access(path, F_OK) == 0;
}

/* A segment that is large or old enough is closed and a new one begun. */
static void
rotate(struct door *d)
{
	bool old = clock_mono_ms() - d->born_ms >= d->conf->journal_segment_age;

	if (!d->journal || journal_last_seq(d->journal) == 0)
		return;
	if (!old && journal_bytes(d->journal) < d->conf->journal_segment_bytes)
		return;
	journal_close(&d->journal);
	open_segment(d);
}

void
door_tick(struct door *d)
{
	if (d->journal && !journal_intact(d->journal))
		give_up_segment(d, ERR_IO);
	check_space(d);
	check_drain(d);
	rotate(d);
	open_segment(d);
	stat_set(d->stat, STAT_collect_ready, is_ready(d) && !d->draining);
}

bool
door_commit(struct door *d)
{
	int64_t began;
	enum err e;

	if (!d->journal)
		return false;
	if (d->turn_events == 0)
		return true;
	began = clock_mono_us();
	e = journal_commit(d->journal);
	stat_observe(d->stat, TIMES_collect_commit, clock_mono_us() - began);
	if (e == ERR_OK) {
		stat_add(d->stat, STAT_collect_events_accepted_total, d->turn_events);
		stat_add(d->stat, STAT_collect_bytes_accepted_total, d->turn_bytes);
	}
	d->turn_events = d->turn_bytes = 0;
	if (e != ERR_OK)
		give_up_segment(d, e);
	else
		rotate(d);
	return e == ERR_OK;
}

void
door_unavailable(struct reply *r)
{
	reply_problem(r, REFUSE_UNAVAILABLE, NULL);
}

/* The body as JSON text: as it came, or inflated. gzip is known by its first bytes
 * or by the header, for clients say either without the other. */
static enum refusal
undo_encoding(struct door *d, const struct request *q, struct slice *body)
{
	struct slice e = q->content_encoding;
	bool said = slice_is(e, "gzip") || slice_is(e, "x-gzip");

	*body = q->body;
	if (!said && e.n > 0 && !slice_is(e, "identity"))
		return REFUSE_ENCODING;
	if (!inflate_is_gzip(q->body))
		return said && q->body.n > 0 ? REFUSE_INVALID_GZIP : REFUSE_NONE;
	switch (inflate_gzip(q->body, &d->inflated)) {
	case ERR_OK:
		*body = buf_slice(&d->inflated);
		return REFUSE_NONE;
	case ERR_TOOBIG:
		return REFUSE_INFLATED_TOO_LARGE;
	case ERR_NOMEM:
		return REFUSE_UNAVAILABLE;
	default:
		return REFUSE_INVALID_GZIP;
	}
}

static enum err
decode(struct door *d, const struct request *q, struct slice body, const struct decoded **out)
{
	const struct context c = {
		.protocol = "native", .client_ip = q->client_ip, .user_agent = q->user_agent,
		.request_id = q->request_id, .traceparent = q->traceparent,
	};
	struct decode_request r = {
		.received_at = clock_us(), .key = SLICE(""), .ids = &d->ids,
	};

	buf_reset(&d->context);
	context_json(&d->context, &c, d->ip);
	if (d->context.failed)
		return ERR_NOMEM;
	r.context = buf_slice(&d->context);
	return decode_native(d->decoder, body, &r, out);
}

static void
store(struct door *d, const struct decoded *found, struct reply *reply)
{
	size_t i;

	if (journal_append(d->journal, found->rows, found->n_rows) != ERR_OK) {
		/* the turn's commit fails with it, for every request of the turn */
		d->turn_events += found->n_rows;
		reply_problem(reply, REFUSE_UNAVAILABLE, NULL);
		return;
	}
	d->turn_events += found->n_rows;
	for (i = 0; i < found->n_rows; i++)
		d->turn_bytes += found->rows[i].payload.n;
	reply_accepted(reply, journal_segment(d->journal), found);
}

static void
post_events(struct door *d, const struct request *q, struct reply *reply)
{
	const struct decoded *found;
	struct slice body;
	enum refusal why = q->bad;

	if (why == REFUSE_NONE && !is_ready(d))
		why = REFUSE_UNAVAILABLE;
	if (why == REFUSE_NONE)
		why = undo_encoding(d, q, &body);
	if (why == REFUSE_NONE && decode(d, q, body, &found) != ERR_OK)
		why = REFUSE_UNAVAILABLE;
	if (why != REFUSE_NONE) {
		reply_problem(reply, why, NULL);
		return;
	}
	stat_add(d->stat, STAT_collect_events_rejected_total, found->n_refused);
	if (found->whole != REFUSE_NONE)
		reply_problem(reply, found->whole, found);
	else if (found->n_rows == 0)
		reply_problem(reply, found->errors[0].code, found);
	else
		store(d, found, reply);
}

static void
get_root(struct door *d UNUSED, const struct request *q UNUSED, struct reply *reply)
{
	reply_json(reply, 200, "{\"name\":\"%s\",\"version\":\"%s\"}", PACKAGE_NAME, PACKAGE_VERSION);
}

static void
get_time(struct door *d UNUSED, const struct request *q UNUSED, struct reply *reply)
{
	char text[CLOCK_TEXT];
	int64_t now = clock_us();

	clock_text(now, text);
	text[10] = 'T';			/* RFC 3339 */
	reply_json(reply, 200, "{\"time\":\"%sZ\",\"unix_us\":%lld}", text, (long long)now);
}

static void
get_healthz(struct door *d UNUSED, const struct request *q UNUSED, struct reply *reply)
{
	reply_json(reply, 200, "{\"status\":\"ok\"}");
}

/* Can this node durably accept? Never a question of PostgreSQL. */
static void
get_readyz(struct door *d, const struct request *q UNUSED, struct reply *reply)
{
	if (is_ready(d) && !d->draining)
		reply_json(reply, 200, "{\"status\":\"ready\"}");
	else
		reply_problem(reply, REFUSE_UNAVAILABLE, NULL);
}

static void
get_metrics(struct door *d, const struct request *q UNUSED, struct reply *reply)
{
	reply->status = 200;
	reply->type = METRICS_TYPE;
	metrics_write(&reply->body, d->conf);
}

static const struct route {
	const char *path, *method;
	void (*serve)(struct door *, const struct request *, struct reply *);
	const char *listener;	/* NULL: the public one */
} routes[] = {
	{ "/v1/events", "POST", post_events, NULL },
	{ "/",          "GET",  get_root,    NULL },
	{ "/v1/time",   "GET",  get_time,    NULL },
	{ "/healthz",   "GET",  get_healthz, NULL },
	{ "/readyz",    "GET",  get_readyz,  NULL },
	{ "/metrics",   "GET",  get_metrics, "internal" },
};

static void
route(struct door *d, const struct request *q, struct reply *reply)
{
	const struct route *r;

	for (r = routes; r < routes + ARRAY_SIZE(routes); r++) {
		if (!slice_is(q->path, r->path) || (r->listener && !slice_is(q->listener, r->listener)))
			continue;
		if (slice_is(q->method, r->method) ||
		    (slice_is(q->method, "HEAD") && slice_is(slice_str(r->method), "GET"))) {
			r->serve(d, q, reply);
			return;
		}
		reply_problem(reply, REFUSE_METHOD, NULL);
		reply->allow = r->method[0] == 'G' ? "GET, HEAD" : r->method;
		return;
	}
	reply_problem(reply, REFUSE_NOT_FOUND, NULL);
}

void
door_serve(struct door *d, const struct request *q, struct reply *reply)
{
	route(d, q, reply);
	if (reply->body.failed) {
		reply_problem(reply, REFUSE_UNAVAILABLE, NULL);
	}
}
