/*
 * One attempt, always from BEGIN, in one order; a lost connection, a poison row and
 * a duplicate all end in ROLLBACK and the next attempt. Each result is checked
 * before the next statement is sent (doc/ARCHITECTURE.md, INV-12).
 */
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "sink/pg.h"

#define OUT_MAX	(64 * 1024 * 1024)	/* a piece of COPY data and the largest event */

static void
count_fates(const struct sink_batch *b, const uint8_t fate[], struct tally t[],
	    struct sink_result *r)
{
	size_t i, k;

	memset(t, 0, b->n_parts * sizeof *t);
	r->loaded = r->duplicates = r->quarantined = r->rejected = r->passed = 0;
	for (k = 0; k < b->n_parts; k++) {
		for (i = b->parts[k].first; i < b->parts[k].first + b->parts[k].n; i++) {
			t[k].loaded += fate[i] == FATE_LOAD || fate[i] == FATE_STANDS;
			t[k].rejected += fate[i] == FATE_REJECTION;
			t[k].duplicates += fate[i] == FATE_DUPLICATE;
			t[k].quarantined += fate[i] >= FATE_BAD;
			r->passed += fate[i] == FATE_PAST;
		}
		r->loaded += t[k].loaded;
		r->rejected += t[k].rejected;
		r->duplicates += t[k].duplicates;
		r->quarantined += t[k].quarantined;
	}
}

static void
first_fates(const struct sink_batch *b, const struct sink_bad *bad, size_t n_bad, uint8_t fate[])
{
	size_t i;

	for (i = 0; i < b->n_rows; i++)
		fate[i] = b->rows[i].kind == ROW_EVENT ? FATE_LOAD : FATE_REJECTION;
	for (i = 0; i < n_bad; i++) {
		CHECK(bad[i].row < b->n_rows);
		fate[bad[i].row] = FATE_BAD;
	}
}

/* Another flusher, or an attempt whose COMMIT we did not hear of, came first. */
static void
trim(const struct sink_batch *b, const int64_t last[], uint8_t fate[])
{
	size_t i, k;

	for (k = 0; k < b->n_parts; k++)
		for (i = b->parts[k].first; i < b->parts[k].first + b->parts[k].n; i++)
			if (b->rows[i].seq <= last[k])
				fate[i] = FATE_PAST;
}

/*
 * A constraint trigger of the owner's that was deferred speaks at COMMIT, which then has
 * undone all: as if it had been told by the statement that loads. But 54 is no row's here,
 * it is NOTIFY's queue that is full (INV-14).
 */
static enum err
commit(struct pg *p, const struct sink_batch *b, const uint8_t fate[], struct sink_result *r)
{
	enum err e = pg_commit(p);

	return strncmp(p->sqlstate, "54", 2) == 0 ? e : pg_load_err(p, e, b, fate, FATE_LOAD, 0, r);
}

static enum err
transaction(struct pg *p, const struct sink_batch *b, enum sink_mode mode, const struct sink_bad *bad,
	    size_t n_bad, size_t room, uint8_t fate[], struct sink_result *r)
{
	int64_t last[SINK_SEGMENTS_MAX];
	struct tally t[SINK_SEGMENTS_MAX];
	enum err e = pg_begin(p);

	CRASH_POINT("begun");
	if (e == ERR_OK)
		e = pg_progress_lock(p, b, last);
	CRASH_POINT("locked");
	if (e == ERR_OK) {
		trim(b, last, fate);
		e = pg_load_events(p, b, mode, fate, r);
	}
	CRASH_POINT("loaded");
	if (e == ERR_OK)
		e = pg_differing(p, b, fate, r);
	if (e == ERR_OK)
		e = pg_load_rejections(p, b, mode, fate, r);
	CRASH_POINT("rejected");
	if (e == ERR_OK) {
		count_fates(b, fate, t, r);
		if (memchr(fate, FATE_UNIQUE, b->n_rows))
			e = pg_kept_out_by(p, p->kept_out_by, sizeof p->kept_out_by);
	}
	if (e == ERR_OK && r->quarantined > room)
		e = pg_fail(p, ERR_FULL, "%llu rows would be quarantined, there is room for %zu%s%s",
		    (unsigned long long)r->quarantined, room, p->kept_out_by[0] ? "; they are kept out by " : "",
		    p->kept_out_by);
	if (e == ERR_OK && r->quarantined > 0) {
		e = pg_quarantine(p, b, fate, bad, n_bad);
		CRASH_POINT("quarantined");
	}
	if (e == ERR_OK)
		e = pg_progress_update(p, b, last, t);
	CRASH_POINT("progressed");
	return e == ERR_OK ? commit(p, b, fate, r) : e;
}

static enum err
try(struct pg *p, const struct sink_batch *b, enum sink_mode mode, const struct sink_bad *bad,
    size_t n_bad, size_t room, uint8_t fate[], struct sink_result *r)
{
	enum err e;

	memset(r, 0, sizeof *r);
	p->sqlstate[0] = p->kept_out_by[0] = '\0';
	first_fates(b, bad, n_bad, fate);
	e = pg_partitions(p, b, fate);
	CRASH_POINT("partitions");
	if (e != ERR_OK)
		return e;
	p->carrying = true;
	e = transaction(p, b, mode, bad, n_bad, room, fate, r);
	p->carrying = false;
	return e == ERR_OK || e == ERR_DOWN || pg_undo(p) == ERR_OK ? e : ERR_DOWN;
}

/*
 * Says that a batch has landed. A courtesy: it comes after COMMIT and for itself, so that
 * a full queue, or whoever holds its lock, cannot keep a batch from landing.
 */
static void
announce(struct pg *p, const struct sink_result *r)
{
	char *channel, sql[600];
	enum err e;

	if (!*p->conf->flush_notify || r->loaded == 0)
		return;
	channel = PQescapeLiteral(p->conn, p->conf->flush_notify, strlen(p->conf->flush_notify));
	snprintf(sql, sizeof sql, "BEGIN; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '1s';"
	    "SELECT pg_catalog.pg_notify(%s, '{\"loaded\":%llu}'); COMMIT", channel ? channel : "NULL",
	    (unsigned long long)r->loaded);
	PQfreemem(channel);
	e = pg_exec(p, NULL, sql);
	if (e == ERR_OK)
		return;
	p->base.unheard++;
	snprintf(p->base.unheard_why, sizeof p->base.unheard_why, "%s", p->base.errmsg);
	/* a listener that was slow and has gone is forgotten when somebody looks at the queue */
	if (p->sqlstate[0] == '\0' || pg_undo(p) != ERR_OK ||
	    pg_exec(p, NULL, "SELECT pg_catalog.pg_notification_queue_usage()") != ERR_OK)
		pg_disconnect(p);	/* the next attempt finds out, this one has landed */
}

static enum err
pg_attempt(struct sink *s, const struct sink_batch *b, enum sink_mode mode, const struct sink_bad *bad,
	   size_t n_bad, size_t room, struct sink_result *r)
{
	struct pg *p = (struct pg *)s;
	uint8_t *fate = malloc(b->n_rows + 1);
	enum err e;

	if (!fate)
		return pg_fail(p, ERR_NOMEM, "out of memory");
	if (!p->conn) {
		free(fate);
		return pg_fail(p, ERR_DOWN, "not connected");
	}
	e = try(p, b, mode, bad, n_bad, room, fate, r);
	if (e != ERR_DOWN && strcmp(p->sqlstate, PG_NO_PARTITION) == 0) {
		/* somebody dropped a partition since it was seen */
		pg_partitions_forget(p);
		e = try(p, b, mode, bad, n_bad, room, fate, r);
	}
	free(fate);
	if (e == ERR_OK)
		announce(p, r);
	if (e == ERR_SETUP)
		pg_diagnose(p);
	/* at once, so that the server does not hold locks for us while we wait */
	if (e != ERR_OK && e != ERR_BUSY && e != ERR_INVALID && e != ERR_FULL)
		pg_disconnect(p);
	return e;
}

static void
pg_hang_up(struct sink *s)
{
	pg_disconnect((struct pg *)s);
}

static void
pg_close(struct sink **sp)
{
	struct pg *p = (struct pg *)*sp;

	if (!p)
		return;
	pg_disconnect(p);
	buf_fini(&p->out);
	sha256_free(&p->sha256);
	free(p);
	*sp = NULL;
}

enum err
sink_pg_open(struct sink **out, const struct conf *conf, const char *state_dir, const char *node)
{
	static const struct sink_ops ops = {
		pg_connect, pg_progress, pg_attempt, pg_look, pg_maintain, pg_hang_up, pg_close,
	};
	struct pg *p = calloc(1, sizeof *p);

	*out = NULL;
	if (!p)
		return ERR_NOMEM;
	p->base.ops = &ops;
	p->conf = conf;
	p->state_dir = state_dir;
	p->node = node;
	buf_init(&p->out, OUT_MAX);
	pg_partitions_forget(p);
	*out = &p->base;
	return ERR_OK;
}
