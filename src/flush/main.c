/*
 * forebay-flusher: carries the journal into PostgreSQL.
 *
 * One loop: look what there is, read progress where this connection has not, fill
 * a batch, ship it. Whatever goes wrong with the other side is waited out with a
 * growing pause; only PostgreSQL's own table says what is loaded.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stat.h"
#include "config.h"
#include "flush/life.h"
#include "flush/ship.h"
#include "flush/tracker.h"

#define HOUSE_MS	1000
#define MAINTAIN_MS	(15 * 60 * 1000)
#define MAINTAIN_AGAIN_MS (60 * 1000)
#define PAUSE_MIN_MS	250
#define PAUSE_MAX_MS	8000
#define AHEAD_ROWS	256		/* read while PostgreSQL works, at a time */
#define REPEAT_MS	60000		/* an unchanged complaint is logged this often */

static struct flusher {
	struct conf *conf;
	struct stat_slot *stat;
	struct sink *sink;
	struct tracker tracker;
	struct batch batches[2];
	struct batch *batch, *next;	/* on its way; read ahead meanwhile */
	struct ship ship;
	struct life life;
	int lock;
	bool connected;
	bool stuck;			/* it takes a person to go on */
	int64_t next_house, next_flush, next_maintain, next_try;	/* by clock_mono_ms() */
	unsigned failures;
	struct complaint { char text[1200]; int64_t again; } sink_says, tracker_says;
} g = { .lock = -1 };

/* Called by the sink while it waits. */
static bool
tick(void *arg)
{
	(void)arg;
	return life_tick(&g.life);
}

/* Called by the sink while PostgreSQL works. */
static bool
read_ahead(void *arg)
{
	size_t before = g.next->n;

	(void)arg;
	return !tracker_collect(&g.tracker, g.next, AHEAD_ROWS) && g.next->n - before == AHEAD_ROWS;
}

/* Half of the pause is chance, so that many nodes do not come back at once. */
static int64_t
pause_ms(void)
{
	int64_t ms = PAUSE_MIN_MS << (g.failures < 6 ? g.failures : 6);
	uint32_t chance = 0;

	if (ms > PAUSE_MAX_MS)
		ms = PAUSE_MAX_MS;
	(void)!getrandom(&chance, sizeof chance, 0);
	return ms / 2 + chance % (ms / 2 + 1);
}

/* --- what goes wrong, and right again ------------------------------------------------- */

static void
set_stuck(bool stuck)
{
	g.stuck = stuck;
	stat_set(g.stat, STAT_flush_alarm, stuck || g.tracker.errmsg[0]);
}

static void
complain(struct complaint *c, enum log_level level, const char *event, const char *text)
{
	int64_t now = clock_mono_ms();

	if (strcmp(text, c->text) == 0 && now < c->again)
		return;
	snprintf(c->text, sizeof c->text, "%s", text);
	c->again = now + REPEAT_MS;
	log_msg(level, event, "%s", text);
}

/* Waits are for what passes by itself, alarms for what a person has to do. */
static void
failed(enum err e, const char *text)
{
	bool alarm = e == ERR_SETUP || e == ERR_FULL || err_class(e) != CLASS_RETRY;

	g.next_try = clock_mono_ms() + pause_ms();
	g.failures++;
	batch_clear(g.next);
	tracker_rewind(&g.tracker);
	if (e != ERR_FULL) {		/* the quarantine's cap: PostgreSQL itself is well */
		g.connected = false;
		tracker_connected(&g.tracker, false);
	}
	stat_set(g.stat, STAT_flush_connected, g.connected);
	set_stuck(alarm);
	complain(&g.sink_says, alarm ? LOG_ERROR : LOG_WARNING, alarm ? "flush.alarm" : "flush.wait", text);
}

static void
went_well(void)
{
	g.failures = 0;
	stat_set(g.stat, STAT_flush_connected, 1);
	set_stuck(false);
	if (g.sink_says.text[0]) {
		log_info("flush.recovered", "batches are taken again");
		g.sink_says.text[0] = '\0';
	}
}

/* --- the turn ------------------------------------------------------------------------- */

static void
connect_sink(void)
{
	enum err e = g.sink->ops->connect(g.sink);

	if (e != ERR_OK) {
		failed(e, g.sink->errmsg);
		return;
	}
	CRASH_POINT("connected");
	g.connected = true;
	stat_add(g.stat, STAT_flush_connects_total, 1);
	tracker_connected(&g.tracker, true);
	log_info("flush.connected", "connection=%u", g.tracker.epoch);
}

static void
maintain(void)
{
	int64_t now = clock_mono_ms();
	enum err e;

	if (now < g.next_maintain)
		return;
	e = g.sink->ops->maintain(g.sink);
	g.next_maintain = now + (e == ERR_OK ? MAINTAIN_MS : MAINTAIN_AGAIN_MS);
	if (e != ERR_OK)
		failed(e, g.sink->errmsg);
}

static void
count(const struct shipped *s)
{
	stat_add(g.stat, STAT_flush_rows_loaded_total, s->loaded);
	stat_add(g.stat, STAT_flush_rows_duplicate_total, s->duplicates);
	stat_add(g.stat, STAT_flush_rows_quarantined_total, s->quarantined);
	stat_add(g.stat, STAT_flush_rows_rejected_total, s->rejected);
	stat_add(g.stat, STAT_flush_batches_total, s->batches);
	stat_add(g.stat, STAT_flush_attempts_failed_total, s->failed);
}

/* What was read ahead, and what has come since. true: there may be more. */
static bool
take_next(void)
{
	struct batch *b = g.next;

	g.next = g.batch;
	g.batch = b;
	batch_clear(g.next);
	return tracker_collect(&g.tracker, b, SIZE_MAX);
}

/* Ships one batch and reads the next meanwhile. */
static void
flush(void)
{
	struct shipped shipped = { 0 };
	int64_t start = clock_mono_ms();
	enum err e = tracker_progress(&g.tracker, g.sink);
	bool full;

	g.next_flush = start + g.conf->flush_batch_age;
	if (e != ERR_OK) {
		failed(e, g.sink->errmsg);
		return;
	}
	CRASH_POINT("progress-read");
	full = take_next();
	CRASH_POINT("collected");
	g.sink->idle = full ? read_ahead : NULL;
	if (g.batch->n > 0)
		e = ship(&g.ship, g.sink, g.batch, &shipped);
	g.sink->idle = NULL;
	CRASH_POINT("shipped");
	tracker_loaded(&g.tracker, g.batch, shipped.rows);
	count(&shipped);
	if (g.batch->n > 0)
		log_debug("flush.batch", "rows=%zu shipped=%zu duplicates=%llu ms=%lld %s", g.batch->n,
		    shipped.rows, (unsigned long long)shipped.duplicates,
		    (long long)(clock_mono_ms() - start), err_name(e));
	if (e != ERR_OK) {
		if (shipped.rows > 0)	/* pauses grow where nothing moves */
			g.failures = 0;
		failed(e, g.ship.errmsg);
		return;
	}
	went_well();
	if (full)
		g.next_flush = start;
}

static void
look_around(void)
{
	int64_t now = clock_mono_ms();
	bool house = now >= g.next_house;
	enum err e;

	if (g.connected && (e = g.sink->ops->look(g.sink)) != ERR_OK)
		failed(e, g.sink->errmsg);
	e = tracker_scan(&g.tracker, house || g.life.stopping);
	if (e != ERR_OK)
		log_limited(LOG_ERROR, "flush.scan", "%s: %s", g.conf->journal_dir, err_name(e));
	if (!house)
		return;
	g.next_house = now + HOUSE_MS;
	tracker_keep_house(&g.tracker);
	if (g.tracker.errmsg[0])
		complain(&g.tracker_says, LOG_ERROR, "flush.alarm", g.tracker.errmsg);
	set_stuck(g.stuck);
}

/* Settings are read by the new program: a reload is a new start in the same process. */
static void
reload(char **argv, const struct conf_args *args)
{
	struct conf *c;
	char errmsg[512];

	g.life.hang_up = false;
	if (conf_load(&c, args->path, args->flags, args->n, errmsg) != ERR_OK) {
		log_error("flush.reload", "the settings are kept: %s", errmsg);
		return;
	}
	conf_free(&c);
	log_info("flush.reload", "starting anew");
	execvp(argv[0], argv);
	log_error("flush.reload", "%s: %s", argv[0], strerror(errno));
}

/* Told to stop, and nothing is left as far as was ever known, or nothing helps. */
static bool
finished(void)
{
	if (!g.life.stopping)
		return false;
	return g.stuck || (g.tracker.epoch > 0 && tracker_pending(&g.tracker) == 0);
}

static int64_t
next_event(void)
{
	int64_t when = g.connected ? g.next_flush : g.next_try;

	if (g.connected && g.next_try > when)
		when = g.next_try;
	if (g.life.stopping && g.life.stop_by < when)
		when = g.life.stop_by;
	return when < g.next_house ? when : g.next_house;
}

/* Ends when it is told to stop and nothing is left, or the time is up. */
static int
run(char **argv, const struct conf_args *args)
{
	uint64_t pending;

	for (;;) {
		if (g.life.hang_up)
			reload(argv, args);
		look_around();
		if (life_tick(&g.life) || finished())
			break;
		if (!g.connected && clock_mono_ms() >= g.next_try)
			connect_sink();
		if (g.connected)
			maintain();
		if (g.connected && clock_mono_ms() >= g.next_try &&
		    (g.life.stopping || clock_mono_ms() >= g.next_flush))
			flush();
		life_wait(&g.life, next_event());
	}
	pending = tracker_pending(&g.tracker);
	log_info("flush.stopped", "pending=%llu", (unsigned long long)pending);
	return pending == 0 && g.tracker.epoch > 0 ? EX_OK : EX_TEMPFAIL;
}

/* --- start ------------------------------------------------------------------------------ */

static int
die(int status, const char *what, const char *why)
{
	log_error("flush.start", "%s: %s", what, why);
	return status;
}

static int
set_up(char node[256], struct stat_file *stat)
{
	char lock[1024];
	const struct conf *c = g.conf;
	enum err e;

	if (*c->journal_node)
		snprintf(node, 256, "%s", c->journal_node);
	else if (gethostname(node, 256) != 0)
		return die(EX_OSERR, "gethostname", strerror(errno));
	snprintf(lock, sizeof lock, "%s/flusher.lock", c->journal_dir);
	e = file_lock(lock, FILE_LOCK_MAKE, &g.lock);
	if (e != ERR_OK)
		return die(err_exit(e), lock, e == ERR_BUSY ? "another flusher works on this journal"
		    : e == ERR_DOWN ? "there is no such directory" : strerror(errno));
	e = stat_create(stat, c->run_dir, STAT_FLUSH_FILE, 1);
	if (e != ERR_OK)
		return die(err_exit(e), c->run_dir, "the counters cannot be made");
	g.stat = stat->slots;
	g.stat->pid = (int32_t)getpid();
	stat_set(g.stat, STAT_flush_alarm, 0);
	stat_set(g.stat, STAT_flush_connected, 0);
	g.batch = &g.batches[0];
	g.next = &g.batches[1];
	if (batch_init(g.batch, c->flush_batch_rows, c->flush_batch_bytes) != ERR_OK ||
	    batch_init(g.next, c->flush_batch_rows, c->flush_batch_bytes) != ERR_OK ||
	    sink_pg_open(&g.sink, c, c->journal_dir, node) != ERR_OK)
		return die(EX_OSERR, "start", "out of memory");
	g.sink->tick = tick;
	ship_init(&g.ship, c->flush_batch_rows, c->flush_quarantine_per_min);
	tracker_init(&g.tracker, c, g.stat);
	return EX_OK;
}

static void
usage(FILE *f)
{
	fputs("usage: forebay-flusher [-c FILE] [-o SECTION.KEY=VALUE]...\n"
	    "       forebay-flusher --version | --help\n", f);
}

int
main(int argc, char **argv)
{
	struct conf_args args = { .path = NULL };
	struct stat_file stat = { .slots = NULL };
	char node[256] = "";
	int opt, status;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("forebay-flusher " PACKAGE_VERSION);
		return EX_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return EX_OK;
	}
	while ((opt = getopt(argc, argv, "c:o:")) != -1)
		if (!conf_arg(&args, opt, optarg)) {
			usage(stderr);
			return EX_USAGE;
		}
	g.conf = conf_load_or_exit(&args);
	log_init("forebay-flusher", log_level_parse(g.conf->log_level));
	umask(0027);
	life_init(&g.life);
	status = set_up(node, &stat);
	if (status == EX_OK) {
		life_begin(&g.life, g.stat, g.conf->flush_stop_timeout);
		log_info("flush.start", "version=" PACKAGE_VERSION " journal=%s node=%s", g.conf->journal_dir, node);
		status = run(argv, &args);
	}
	if (g.sink)
		g.sink->ops->close(&g.sink);
	tracker_fini(&g.tracker);
	batch_fini(&g.batches[0]);
	batch_fini(&g.batches[1]);
	stat_close(&stat);
	conf_free(&g.conf);
	return status;
}
