#include "collect/door.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/events.h"
#include "collect/keys.h"
#include "collect/metrics.h"
#include "collect/reply.h"
#include "collect/store.h"
#include "config.h"

#define PATH_MAX_BYTES	64	/* of a path, as far as it tells routes apart */

struct door {
	const struct conf *conf;
	struct stat_slot *stat;
	struct uuid_source ids;
	struct store *store;
	struct events *events;
	struct keys *keys;		/* NULL: keys are off */
	bool draining;			/* the drain mark stands */
	bool stopping;
};

/* A worker that has none would let nobody in, and does not start. */
static enum err
open_keys(struct door *d)
{
	char errmsg[256];
	enum err e;

	if (d->conf->collect_keys[0] == '\0')
		return ERR_OK;
	e = keys_open(&d->keys, d->conf->collect_keys, errmsg);
	if (e != ERR_OK)
		log_limited(LOG_ERROR, "keys.refused", "cause=\"%s\"", errmsg);
	return e;
}

static void
check_keys(struct door *d)
{
	if (!d->keys)
		return;
	keys_refresh(d->keys);
	stat_set(d->stat, STAT_collect_keys_refused, keys_refused(d->keys));
}

enum err
door_open(struct door **out, const struct conf *conf, struct stat_slot *stat)
{
	struct door *d = calloc(1, sizeof *d);
	enum err e = d ? ERR_OK : ERR_NOMEM;

	*out = d;
	if (!d)
		return e;
	d->conf = conf;
	d->stat = stat;
	uuid_source_init(&d->ids);
	e = open_keys(d);
	if (e == ERR_OK)
		e = events_new(&d->events, conf, stat, &d->ids);
	if (e == ERR_OK)
		e = store_open(&d->store, conf, stat, &d->ids);
	if (e == ERR_OK)
		door_tick(d);
	else
		door_close(out);
	return e;
}

void
door_close(struct door **dp)
{
	struct door *d = *dp;

	if (!d)
		return;
	store_close(&d->store);
	events_free(&d->events);
	keys_close(&d->keys);
	stat_set(d->stat, STAT_collect_ready, 0);
	stat_set(d->stat, STAT_collect_keys_refused, 0);
	free(d);
	*dp = NULL;
}

static bool
is_ready(const struct door *d)
{
	return store_ready(d->store) && !d->draining && !d->stopping;
}

static void
check_drain(struct door *d)
{
	char path[1024];

	snprintf(path, sizeof path, "%s/draining", d->conf->run_dir);
	d->draining = access(path, F_OK) == 0;
}

void
door_tick(struct door *d)
{
	check_keys(d);
	check_drain(d);
	store_tick(d->store);
	stat_set(d->stat, STAT_collect_ready, is_ready(d));
}

void
door_stop(struct door *d)
{
	d->stopping = true;
	stat_set(d->stat, STAT_collect_ready, is_ready(d));
}

bool
door_commit(struct door *d)
{
	bool stored = store_commit(d->store);

	events_end_turn(d->events, stored);
	return stored;
}

void
door_answered(struct door *d)
{
	store_rotate(d->store);
}

void
door_unavailable(struct reply *r)
{
	reply_problem(r, REFUSE_UNAVAILABLE, NULL);
}

static void
post_events(struct door *d, const struct request *q, struct reply *reply)
{
	events_post(d->events, d->store, d->keys, q, reply);
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
	if (is_ready(d))
		reply_json(reply, 200, "{\"status\":\"ready\"}");
	else
		reply_problem(reply, REFUSE_UNAVAILABLE, NULL);
}

static void
get_metrics(struct door *d, const struct request *q UNUSED, struct reply *reply)
{
	reply->status = 200;
	reply->type = METRICS_TYPE;
	metrics_write(&reply->body, d->conf, d->draining);
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

static bool
takes(const struct route *r, struct slice method)
{
	return slice_is(method, r->method) ||
	    (slice_is(method, "HEAD") && r->method[0] == 'G');
}

/* The path as routes have it: one slash for several, none at the end. Clients join a base
 * URL and a path by two, and some (AWS's) end each path with one. */
static struct slice
normalize(struct slice path, char out[PATH_MAX_BYTES])
{
	size_t i, n = 0;

	for (i = 0; i < path.n && n < PATH_MAX_BYTES; i++)
		if (path.p[i] != '/' || n == 0 || out[n - 1] != '/')
			out[n++] = path.p[i];
	if (n > 1 && out[n - 1] == '/')
		n--;
	return (struct slice){ out, n };
}

void
door_serve(struct door *d, const struct request *q, struct reply *reply)
{
	const struct route *r = routes, *end = routes + ARRAY_SIZE(routes);
	char room[PATH_MAX_BYTES];
	struct slice path = normalize(q->path, room);

	/* Nobody caches an answer to POST. Chromium, told so once more, keeps what a
	 * `keepalive` request took of its page's 64 KiB until the page reads the answer. */
	reply->no_store = !slice_is(q->method, "POST");
	while (r < end && (!slice_is(path, r->path) ||
	    (r->listener && !slice_is(q->listener, r->listener))))
		r++;
	if (r == end) {
		reply_problem(reply, REFUSE_NOT_FOUND, NULL);
	} else if (!takes(r, q->method)) {
		reply_problem(reply, REFUSE_METHOD, NULL);
		reply->allow = r->method[0] == 'G' ? "GET, HEAD" : r->method;
	} else {
		r->serve(d, q, reply);
	}
	if (reply->body.failed)
		door_unavailable(reply);
}
