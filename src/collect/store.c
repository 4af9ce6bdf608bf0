#include "collect/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "journal/dir.h"
#include "journal/journal.h"

#define RETRY_MIN_MS	100
#define RETRY_MAX_MS	5000

struct store {
	const struct conf *conf;
	struct stat_slot *stat;
	struct uuid_source *ids;
	char node[160];
	struct journal *journal;	/* NULL: none at the moment */
	int64_t born_ms;		/* of the segment */
	int64_t retry_at_ms, retry_ms;	/* when to try for a new one */
	const char *short_of;		/* space: what is missing, or NULL */
	bool in_turn;
	int64_t newest_at;		/* received_at of the segment's last row */
	bool clock_fell;
	uint64_t turn_events, turn_bytes;	/* counted once they are durable */
};

static void
open_segment(struct store *s)
{
	char errmsg[256];
	int64_t now = clock_mono_ms();
	enum err e;

	if (s->journal || now < s->retry_at_ms)
		return;
	e = journal_begin(&s->journal, s->conf->journal_dir, s->ids, s->node, errmsg);
	if (e == ERR_OK) {
		if (s->retry_ms > RETRY_MIN_MS)
			log_info("journal.recovered", "a new segment could be made");
		s->retry_ms = RETRY_MIN_MS;
		s->born_ms = now;
		s->newest_at = INT64_MIN;
		s->clock_fell = false;
		stat_add(s->stat, STAT_collect_segments_total, 1);
		return;
	}
	log_limited(LOG_ERROR, "journal.unavailable", "error=%s dir=%s cause=\"%s\" answering=503",
	    err_name(e), s->conf->journal_dir, errmsg);
	s->retry_at_ms = now + s->retry_ms;
	s->retry_ms = s->retry_ms * 2 < RETRY_MAX_MS ? s->retry_ms * 2 : RETRY_MAX_MS;
}

/* Any error is final for the segment (INV-9): what it holds is the flusher's, and a new
 * one is begun. */
static void
give_up_segment(struct store *s, enum err e)
{
	log_limited(LOG_ERROR, "journal.failed", "error=%s cause=\"%s\" action=\"a new segment\"",
	    err_name(e), journal_errmsg(s->journal));
	stat_add(s->stat, STAT_collect_segments_failed_total, 1);
	journal_close(&s->journal);
	open_segment(s);
}

enum err
store_open(struct store **out, const struct conf *conf, struct stat_slot *stat,
	   struct uuid_source *ids)
{
	struct store *s = calloc(1, sizeof *s);

	*out = s;
	if (!s)
		return ERR_NOMEM;
	s->conf = conf;
	s->stat = stat;
	s->ids = ids;
	s->retry_ms = RETRY_MIN_MS;
	snprintf(s->node, sizeof s->node, "%s", conf->journal_node);
	if (s->node[0] == '\0' && gethostname(s->node, sizeof s->node - 1) != 0)
		snprintf(s->node, sizeof s->node, "unknown");
	store_tick(s);
	return ERR_OK;
}

void
store_close(struct store **sp)
{
	if (!*sp)
		return;
	journal_close(&(*sp)->journal);
	free(*sp);
	*sp = NULL;
}

bool
store_ready(const struct store *s)
{
	return s->journal && !s->short_of;
}

struct uuid
store_segment(const struct store *s)
{
	return journal_segment(s->journal);
}

/* Within a segment received_at never falls, so that readers find a time by
 * bisection. A clock that is set back begins a new segment after the turn. */
static void
keep_order(struct store *s, struct row *r)
{
	if (r->received_at < s->newest_at) {
		r->received_at = s->newest_at;
		s->clock_fell = true;
	}
	s->newest_at = r->received_at;
}

enum err
store_append(struct store *s, struct row *rows, size_t n)
{
	size_t i;

	s->in_turn = true;
	for (i = 0; i < n; i++) {
		keep_order(s, &rows[i]);
		if (rows[i].kind != ROW_EVENT)
			continue;
		s->turn_events++;
		s->turn_bytes += rows[i].payload.n;
	}
	return journal_append(s->journal, rows, n);
}

void
store_rotate(struct store *s)
{
	bool old = clock_mono_ms() - s->born_ms >= s->conf->journal_segment_age;

	CHECK(!s->in_turn);	/* or its rows would be gone when they are answered (INV-1) */
	if (!s->journal || journal_last_seq(s->journal) == 0)
		return;
	if (!old && !s->clock_fell && journal_bytes(s->journal) < s->conf->journal_segment_bytes)
		return;
	journal_close(&s->journal);
	open_segment(s);
}

static void
count_commit(struct store *s, enum err e, int64_t began)
{
	stat_observe(s->stat, TIMES_collect_commit, clock_mono_us() - began);
	if (e == ERR_OK) {
		stat_add(s->stat, STAT_collect_events_accepted_total, s->turn_events);
		stat_add(s->stat, STAT_collect_bytes_accepted_total, s->turn_bytes);
	}
}

bool
store_commit(struct store *s)
{
	int64_t began = clock_mono_us();
	enum err e;

	if (!s->in_turn)
		return true;
	e = journal_commit(s->journal);
	count_commit(s, e, began);
	s->in_turn = false;
	s->turn_events = s->turn_bytes = 0;
	if (e != ERR_OK)
		give_up_segment(s, e);
	return e == ERR_OK;
}

static void
check_space(struct store *s)
{
	const struct dir_limits limits = {
		s->conf->journal_cap_pct, s->conf->journal_floor_pct, s->conf->journal_floor_bytes,
	};
	struct dir_space space;
	const char *missing;

	if (dir_space(s->conf->journal_dir, &space) != ERR_OK)
		return;			/* what was known stands */
	missing = dir_short(&space, &limits);
	if (missing && !s->short_of)
		log_warning("journal.full", "cause=\"%s\" free=%llu used=%llu answering=503", missing,
		    (unsigned long long)space.free, (unsigned long long)space.used);
	else if (!missing && s->short_of)
		log_info("journal.room", "free=%llu used=%llu answering=202",
		    (unsigned long long)space.free, (unsigned long long)space.used);
	s->short_of = missing;
}

void
store_tick(struct store *s)
{
	CHECK(!s->in_turn);	/* as in store_rotate() */
	if (s->journal && !journal_intact(s->journal))
		give_up_segment(s, ERR_IO);
	check_space(s);
	store_rotate(s);
	open_segment(s);
}
