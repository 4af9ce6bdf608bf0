/*
 * One loop: look what there is, read progress where this connection has not, fill
 * a batch for each lane that has none, hand them over, take what has landed. Whatever
 * goes wrong with the other side is waited out with a growing pause, after every lane
 * has come to its end; only PostgreSQL's own table says what is loaded.
 */
#include "flush/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "flush/feed.h"
#include "flush/health.h"
#include "flush/lane.h"
#include "flush/life.h"
#include "flush/tracker.h"

#define HOUSE_MS	1000
#define HOUSE_BUSY_MS	20
#define HOUSE_IDLE_MS	50
#define COUNT_MS	200
#define MAINTAIN_MS	(15 * 60 * 1000)
#define MAINTAIN_AGAIN_MS (60 * 1000)	/* after a failure */
#define MAINTAIN_MORE_MS 1000		/* between the pieces of a long retention */
#define LANE_AGAIN_MS	30000		/* a further connection that was refused */
#define LANES_MAX	16

static struct flusher {
	const struct conf *conf;
	struct stat_slot *stat;
	struct health health;
	struct tracker tracker;
	struct lane lanes[LANES_MAX];	/* the first one's connection asks for progress too */
	size_t n_lanes;
	struct ship_cap cap;
	struct life life;
	int woken;
	bool connected;
	bool asleep;			/* not connected, for there is nothing to ask or to send */
	bool halted;			/* something failed: nothing is sent until all has landed */
	int64_t next_house, next_flush, next_maintain, next_try;	/* by clock_mono_ms() */
} g = { .woken = -1 };

#define FOR_LANES(l)	for (l = g.lanes; l < g.lanes + g.n_lanes; l++)

/* Called by a sink while it waits, but for shipping. */
static bool
tick(void *arg)
{
	(void)arg;
	return life_tick(&g.life);
}

static struct lane *
lane_in(int state)
{
	struct lane *l;

	FOR_LANES(l)
		if ((int)l->state == state)
			return l;
	return NULL;
}

/* Everything waits, and the connection is made anew unless it is well. */
static void
failed(enum err e, const char *why)
{
	g.halted = true;
	if (e != ERR_FULL) {		/* the quarantine's cap: PostgreSQL itself is well */
		g.connected = false;
		tracker_connected(&g.tracker, false);
	}
	g.asleep = false;
	g.next_try = clock_mono_ms() + health_failed(&g.health, e, why, g.connected);
}

/* --- the turn ------------------------------------------------------------------------- */

/* After a failure, when nothing is on its way any more. */
static void
settle(void)
{
	struct lane *l;

	if (!g.halted || lane_in(LANE_BUSY))
		return;
	g.halted = false;
	FOR_LANES(l) {
		batch_clear(&l->batch);
		l->state = LANE_IDLE;
		if (!g.connected && l->connected)
			l->sink->ops->disconnect(l->sink);
		l->connected = l->connected && g.connected;
	}
	tracker_rewind(&g.tracker);
}

/* Without the first one there is no progress to go on from; without another one the
 * others go on. */
static void
came_of_connecting(struct lane *l)
{
	l->connected = l->err == ERR_OK;
	stat_add(g.stat, STAT_flush_connects_total, l->connected);
	if (l == g.lanes && l->connected) {
		CRASH_POINT("connected");
		g.connected = true;
		tracker_connected(&g.tracker, true);
		log_msg(g.asleep ? LOG_DEBUG : LOG_INFO, "flush.connected", "connection=%u", g.tracker.epoch);
		g.asleep = false;
	} else if (l == g.lanes) {
		failed(l->err, l->sink->errmsg);
	} else if (!l->connected) {
		l->next_try = clock_mono_ms() + LANE_AGAIN_MS;
		log_limited(LOG_WARNING, "flush.lane", "one connection fewer: %s", l->sink->errmsg);
	}
}

/* Rows do not wait for it: what is refused is tried again later, and the second time it
 * is an alarm. */
static void
maintain(void)
{
	struct sink *sink = g.lanes[0].sink;
	enum err e;

	if (clock_mono_ms() < g.next_maintain || g.lanes[0].state == LANE_BUSY)
		return;
	e = sink->ops->maintain(sink);
	health_maintained(&g.health, e, sink->errmsg);
	if (e != ERR_OK && e != ERR_BUSY && e != ERR_INVALID)
		failed(e, sink->errmsg);
	g.next_maintain = clock_mono_ms() + (e == ERR_OK ? MAINTAIN_MS : e == ERR_BUSY ? MAINTAIN_MORE_MS :
	    MAINTAIN_AGAIN_MS);
}

static void
came_of_shipping(struct lane *l)
{
	CRASH_POINT("shipped");
	if (l->shipped.passed > 0) {
		tracker_passed(&g.tracker, &l->batch);
		log_limited(LOG_WARNING, "flush.passed", "%llu rows were counted as loaded that this flusher had not sent: "
		    "another one works on a copy of this journal, or somebody moves forebay.progress; `forebay audit` tells "
		    "whether they are there", (unsigned long long)l->shipped.passed);
	}
	tracker_loaded(&g.tracker, &l->batch, l->shipped.rows);
	health_shipped(&g.health, &l->shipped);
	health_announced(&g.health, l->sink, l->shipped.loaded);
	log_debug("flush.batch", "rows=%zu shipped=%zu duplicates=%llu ms=%lld lane=%zu %s",
	    l->batch.n, l->shipped.rows, (unsigned long long)l->shipped.duplicates,
	    (long long)(clock_mono_ms() - l->sent_ms), (size_t)(l - g.lanes), err_name(l->err));
	batch_clear(&l->batch);
	if (l->err == ERR_OK) {
		if (!g.halted)
			health_went_well(&g.health);
	} else {
		if (l->shipped.rows > 0)
			health_moved(&g.health);
		failed(l->err, l->ship.errmsg);
	}
	if (l->full)			/* the rest is due */
		g.next_flush = clock_mono_ms();
}

/* What has come of the jobs that were on their way. */
static void
land(void)
{
	struct lane *l;

	FOR_LANES(l)
		if (lane_landed(l))
			(l->job == LANE_CONNECT ? came_of_connecting : came_of_shipping)(l);
}

static void
flush(void)
{
	struct sink *asks = g.lanes[0].sink;
	int64_t now = clock_mono_ms();
	enum err e = ERR_OK;

	if (g.lanes[0].state == LANE_IDLE) {
		e = tracker_progress(&g.tracker, asks);
		CRASH_POINT("progress-read");
	}
	if (e != ERR_OK) {
		failed(e, asks->errmsg);
		return;
	}
	if (now >= g.next_flush || g.life.stopping) {
		g.next_flush = now + g.conf->flush_batch_age;
		feed_fill(g.lanes, g.n_lanes, &g.tracker);
	}
	feed_send(g.lanes, g.n_lanes, &g.tracker);
	if ((g.health.stuck || !g.health.up) && !lane_in(LANE_BUSY) && !tracker_wants(&g.tracker, COUNT_MS))
		health_at_ease(&g.health);
}

/* PostgreSQL, or a pooler, ended a connection because nothing came over it. That is no
 * failure, and to make another one at once would be for nothing, too. */
static void
sleep_until_wanted(void)
{
	struct lane *l;

	FOR_LANES(l) {
		l->sink->ops->disconnect(l->sink);
		l->connected = false;
	}
	g.connected = false;
	g.asleep = true;
	tracker_connected(&g.tracker, false);
	log_debug("flush.asleep", "the idle connection was ended");
}

/* Connections that lie idle: has the other side gone? */
static void
look(void)
{
	struct lane *l;
	enum err e;

	if (g.halted)
		return;
	FOR_LANES(l) {
		if (!l->connected || l->state == LANE_BUSY || (e = l->sink->ops->look(l->sink)) == ERR_OK)
			continue;
		if (l != g.lanes) {
			l->sink->ops->disconnect(l->sink);
			l->connected = false;
		} else if (e == ERR_BUSY && !lane_in(LANE_BUSY) && !lane_in(LANE_FILLED)) {
			sleep_until_wanted();
		} else {
			failed(ERR_DOWN, l->sink->errmsg);
		}
	}
}

static bool
scan(bool always)
{
	enum err e = tracker_scan(&g.tracker, always);

	if (e != ERR_OK)
		log_limited(LOG_ERROR, "flush.scan", "%s: %s", g.conf->journal_dir, err_name(e));
	return e == ERR_OK;
}

static void
look_around(void)
{
	int64_t now = clock_mono_ms();
	bool house = now >= g.next_house;

	look();
	scan(house);
	if (!house)
		return;
	g.next_house = now + HOUSE_MS;
	/* lanes wait for it; when they rest, a journal of many segments still leaves the CPU
	 * to the collector */
	tracker_keep_house(&g.tracker, lane_in(LANE_BUSY) ? HOUSE_BUSY_MS : HOUSE_IDLE_MS);
	health_journal(&g.health, g.tracker.errmsg);
}

/* Told to stop: what stood there then is in PostgreSQL. What a running collector adds from
 * now on is the next flusher's; to wait until nothing comes could be to wait for ever. */
static bool
carried(void)
{
	return scan(true) && g.tracker.epoch > 0 && tracker_carried(&g.tracker, COUNT_MS);
}

/* Told to stop, and nothing is left or nothing helps. */
static bool
finished(void)
{
	return g.life.stopping && (g.health.stuck || carried());
}

static bool
wanted(void)
{
	return !g.asleep || clock_mono_ms() >= g.next_maintain || tracker_wants(&g.tracker, COUNT_MS);
}

static int64_t
next_event(void)
{
	int64_t when = g.next_house;

	if (g.halted || !g.connected)	/* until the last lane has landed */
		when = lane_in(LANE_BUSY) || g.asleep ? when : g.halted ? 0 : g.next_try;
	else if (lane_in(LANE_IDLE))
		when = g.next_flush > g.next_try ? g.next_flush : g.next_try;
	if (g.life.stopping && g.life.stop_by < when)
		when = g.life.stop_by;
	return when < g.next_house ? when : g.next_house;
}

enum loop_end
loop_run(void)
{
	uint64_t left;
	bool empty;

	for (;;) {
		land();
		settle();
		if (g.life.hang_up && !lane_in(LANE_BUSY)) {
			g.life.hang_up = false;
			return LOOP_HANG_UP;
		}
		look_around();
		if (life_tick(&g.life) || finished())
			break;
		if (!g.halted && !g.connected && !lane_in(LANE_BUSY) && clock_mono_ms() >= g.next_try && wanted())
			lane_send(g.lanes, LANE_CONNECT);
		if (!g.halted && g.connected)
			maintain();
		if (!g.halted && g.connected && !g.life.hang_up && clock_mono_ms() >= g.next_try)
			flush();
		life_wait(&g.life, next_event(), g.woken);
	}
	empty = carried();
	left = tracker_pending(&g.tracker, COUNT_MS);
	log_info("flush.stopped", "pending=%llu", (unsigned long long)left);
	return empty && left == 0 ? LOOP_EMPTY : LOOP_PENDING;
}

/* --- start ------------------------------------------------------------------------------ */

static enum err
open_lanes(const struct conf *c, const char *node)
{
	struct sink *sink;
	enum err e = ERR_OK;

	g.cap = (struct ship_cap){ .rows = c->flush_quarantine_per_min, .minute_ms = clock_mono_ms() };
	while (e == ERR_OK && g.n_lanes < c->flush_connections) {
		e = sink_pg_open(&sink, c, c->journal_dir, node);
		if (e != ERR_OK)
			break;
		sink->tick = tick;
		e = lane_open(&g.lanes[g.n_lanes], sink, c, &g.cap, g.woken);
		g.n_lanes += e == ERR_OK;
	}
	return e;
}

enum err
loop_open(const struct conf *c, struct stat_slot *slot, const char *node)
{
	enum err e;

	g.conf = c;
	g.stat = slot;
	health_init(&g.health, slot);
	life_init(&g.life);
	tracker_init(&g.tracker, c, slot);
	g.woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = g.woken >= 0 ? open_lanes(c, node) : ERR_NOMEM;
	if (e == ERR_OK)
		life_begin(&g.life, slot, c->flush_stop_timeout);
	return e;
}

void
loop_close(void)
{
	struct lane *l;

	FOR_LANES(l)
		lane_close(l);
	tracker_fini(&g.tracker);
}
