/*
 * Shipping against a sink that keeps its tables in memory and fails at every step
 * in turn: nothing is lost, nothing is there twice, poison is in quarantine and
 * nothing else is (INV-14).
 */
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "flush/ship.h"
#include "tools/tap.h"

#define SEGMENTS	3
#define ROWS		40

/* What the sink does wrong, once, at attempt number `at`. */
enum fault {
	LOST_BEFORE,		/* connection lost, nothing committed */
	LOST_AFTER,		/* committed, but the answer was lost */
	NEEDS_PERSON, OUT_OF_ROOM, REFUSED_ONCE, DUPLICATE, N_FAULTS
};

enum hints { RIGHT, WRONG, NONE, N_HINTS };

static struct fake {
	struct sink base;
	int64_t progress[SEGMENTS];
	unsigned stored[SEGMENTS][ROWS], quarantined[SEGMENTS][ROWS];
	bool poison[SEGMENTS][ROWS], slow[SEGMENTS][ROWS];
	int slow_until;		/* the server is slow with all that it is sent in attempts before that */
	enum hints hints;
	enum fault fault;
	int at, attempts;
	bool down;		/* connect() is due */
	unsigned wrong;		/* calls that break the contract */
} f;

static enum err
fake_connect(struct sink *s)
{
	(void)s;
	f.down = false;
	return ERR_OK;
}

static enum err
refuse(const struct sink_batch *b, size_t row, enum sink_why why, struct sink_result *r)
{
	size_t hint = f.hints == RIGHT ? row : f.hints == WRONG ? (row + 3) % b->n_rows : SIZE_MAX;

	r->refused = (struct sink_bad){ hint, why, "22P05", "poison" };
	if (why == SINK_TIMED_OUT)
		memcpy(r->refused.sqlstate, "57014", 6);
	return ERR_INVALID;
}

static bool
is_bad(const struct sink_bad *bad, size_t n_bad, size_t row)
{
	for (; n_bad > 0; n_bad--, bad++)
		if (bad->row == row)
			return true;
	return false;
}

static void
apply(const struct sink_batch *b, const struct sink_bad *bad, size_t n_bad, struct sink_result *r)
{
	size_t k, i;
	uint8_t g;

	for (k = 0; k < b->n_parts; k++) {
		g = b->parts[k].segment.b[0];
		f.wrong += b->rows[b->parts[k].first].seq > f.progress[g] + 1;
		for (i = b->parts[k].first; i < b->parts[k].first + b->parts[k].n; i++) {
			if (b->rows[i].seq <= f.progress[g])
				continue;
			f.progress[g] = b->rows[i].seq;
			if (is_bad(bad, n_bad, i)) {
				f.quarantined[g][b->rows[i].seq - 1]++;
				r->quarantined++;
			} else {
				f.stored[g][b->rows[i].seq - 1]++;
				r->loaded++;
			}
		}
	}
}

static enum err
fake_attempt(struct sink *s, const struct sink_batch *b, enum sink_mode mode, const struct sink_bad *bad,
	     size_t n_bad, size_t room, struct sink_result *r)
{
	bool fault = f.attempts++ == f.at;
	size_t k, i;

	(void)s;
	memset(r, 0, sizeof *r);
	f.wrong += f.down || b->n_parts == 0;
	if (fault && f.fault == LOST_BEFORE)
		return f.down = true, ERR_DOWN;
	if (fault && f.fault == NEEDS_PERSON)
		return f.down = true, ERR_SETUP;
	if (fault && f.fault == OUT_OF_ROOM)
		return ERR_FULL;
	if (fault && f.fault == DUPLICATE && mode == SINK_PLAIN)
		return ERR_BUSY;
	if (fault && f.fault == REFUSED_ONCE && n_bad == 0)
		return refuse(b, 0, SINK_REFUSED, r);
	for (k = 0; k < b->n_parts; k++)
		for (i = b->parts[k].first; i < b->parts[k].first + b->parts[k].n; i++) {
			const uint8_t g = b->parts[k].segment.b[0];
			const int64_t at = b->rows[i].seq - 1;

			if (is_bad(bad, n_bad, i))
				continue;
			if (f.poison[g][at])
				return refuse(b, i, SINK_REFUSED, r);
			if (f.slow[g][at] || f.attempts <= f.slow_until)
				return refuse(b, i, SINK_TIMED_OUT, r);
		}
	if (n_bad > room)
		return ERR_FULL;
	apply(b, bad, n_bad, r);
	if (fault && f.fault == LOST_AFTER)
		return f.down = true, ERR_DOWN;
	return ERR_OK;
}

static const struct sink_ops ops = { .connect = fake_connect, .attempt = fake_attempt };

/* What the flusher does: progress is the truth, the batch is made anew from it. */
static void
fill(struct batch *b, const int64_t from[SEGMENTS])
{
	struct row r = { .payload = SLICE("{}"), .key = SLICE("") };
	uint8_t k;

	batch_clear(b);
	for (k = 0; k < SEGMENTS; k++) {
		if (from[k] >= ROWS || !batch_segment(b, (struct uuid){ { k } }, false))
			continue;
		for (r.seq = from[k] + 1; r.seq <= ROWS && batch_add(b, &r); r.seq++)
			;
	}
}

static void
reset(enum fault fault, enum hints hints, int at)
{
	memset(&f, 0, sizeof f);
	f.base.ops = &ops;
	f.fault = fault;
	f.hints = hints;
	f.at = at;
}

/* true when everything is over in a bounded number of rounds */
static bool
run(size_t batch_rows, struct shipped *total)
{
	struct batch b;
	struct ship s;
	int round;
	enum err e;
	bool over = false;

	if (batch_init(&b, batch_rows, 100000) != ERR_OK)
		return false;
	ship_init(&s, batch_rows, &(struct ship_cap){ .rows = 1000 });
	for (round = 0; round < 1000 && !over; round++) {
		if (f.down && f.base.ops->connect(&f.base) != ERR_OK)
			break;
		fill(&b, f.progress);
		over = b.n == 0;
		e = ship(&s, &f.base, &b, total);
		if (e == ERR_OK && total->rows != b.n && b.n > 0)
			f.wrong++;
	}
	batch_fini(&b);
	return over;
}

/* Rows that are not where they belong, exactly once. */
static unsigned
misplaced(void)
{
	unsigned n = 0;
	int k, i;

	for (k = 0; k < SEGMENTS; k++)
		for (i = 0; i < ROWS; i++)
			n += f.stored[k][i] != !f.poison[k][i] || f.quarantined[k][i] != f.poison[k][i];
	return n;
}

static void
plant(unsigned n)
{
	for (; n > 0; n--)
		f.poison[rand() % SEGMENTS][rand() % ROWS] = true;
}

static void
test_each_step(enum fault fault, enum hints hints, unsigned poison)
{
	static const char *const faults[] = { "lost before", "lost after", "needs a person", "out of room",
		"refused once", "duplicate" };
	static const char *const names[] = { "right", "wrong", "no" };
	unsigned bad = 0, unfinished = 0, wrong = 0;
	struct shipped total;
	int at;

	for (at = 0;; at++) {
		memset(&total, 0, sizeof total);
		reset(fault, hints, at);
		plant(poison);
		unfinished += !run(50, &total);
		bad += misplaced();
		wrong += f.wrong;
		if (f.attempts <= at)
			break;
	}
	ok(bad == 0 && unfinished == 0 && wrong == 0, "%s, %s hints, %u poison: %d steps failed in turn",
	    faults[fault], names[hints], poison, at);
	if (bad || unfinished || wrong)
		printf("# misplaced %u, unfinished %u, against the contract %u\n", bad, unfinished, wrong);
	ok(at > 2, "the loop really made things fail");
}

static void
test_cost(void)
{
	struct shipped total = { 0 };

	reset(LOST_BEFORE, RIGHT, -1);
	f.poison[1][7] = true;
	run(1000, &total);
	is_int(f.attempts, 6, "with the right hint: whole, before it, it alone twice, quarantined, the rest");
	ok(total.quarantined == 1 && total.loaded == SEGMENTS * ROWS - 1, "counted");
	memset(&total, 0, sizeof total);
	reset(LOST_BEFORE, NONE, -1);
	f.poison[1][7] = true;
	run(1000, &total);
	ok(f.attempts <= 18, "without a hint: by halving, %d attempts", f.attempts);
}

static void
note_attempts(void)
{
	printf("# %d attempts\n", f.attempts);
}

/* Ships what there is once; true: all of it landed. */
static bool
ship_once(size_t rows, struct shipped *total, struct ship *s)
{
	static struct ship_cap cap;
	struct batch b;
	bool landed;

	cap = (struct ship_cap){ .rows = 1000, .minute_ms = INT64_MAX };
	*total = (struct shipped){ 0 };
	if (batch_init(&b, rows, 100000) != ERR_OK)
		return false;
	ship_init(s, rows, &cap);
	fill(&b, f.progress);
	landed = ship(s, &f.base, &b, total) == ERR_OK;
	batch_fini(&b);
	return landed;
}

static void
test_slow(enum hints hints)
{
	static const char *const names[] = { "right", "wrong", "no" };
	struct shipped total;
	struct ship s;
	int i;

	reset(LOST_BEFORE, hints, -1);
	f.slow[0][5] = f.slow[1][0] = f.slow[1][1] = f.slow[1][2] = f.poison[1][3] = f.slow[2][20] = true;
	ok(ship_once(1000, &total, &s), "%s hints: rows that run out of time alone are set aside", names[hints]);
	is_int((int)total.quarantined, 6, "all of them, and what is refused");
	is_int((int)total.loaded, SEGMENTS * ROWS - 6, "and no other");
	note_attempts();
	reset(LOST_BEFORE, hints, -1);
	f.slow[2][ROWS - 1] = true;
	ok(!ship_once(1000, &total, &s), "%s hints: the last row of all is waited for", names[hints]);
	is_int((int)(total.quarantined + total.loaded), SEGMENTS * ROWS - 1, "alone");
	ok(strstr(s.errmsg, "the last one alone") != NULL, "and it is said: %s", s.errmsg);
	reset(LOST_BEFORE, hints, -1);
	f.slow_until = INT_MAX;
	ok(!ship_once(1000, &total, &s), "%s hints: a slow server is waited for", names[hints]);
	is_int((int)(total.quarantined + total.loaded), 0, "and no row is blamed");
	for (i = 0; i < 9; i++)
		f.slow[0][i] = true;
	f.slow_until = 0;
	ok(!ship_once(1000, &total, &s) && total.quarantined == 0, "nor are nine in a row");
}

/* It may be well again at any moment: then no row is to blame. */
static void
test_slow_moment(enum hints hints)
{
	unsigned unfinished = 0, bad = 0, wrong = 0;
	struct shipped total;
	int until;

	for (until = 1; until < 200; until++) {
		total = (struct shipped){ 0 };
		reset(LOST_BEFORE, hints, -1);
		f.slow_until = until;
		unfinished += !run(50, &total);
		bad += misplaced();
		wrong += f.wrong;
	}
	is_int((int)bad, 0, "a server that was slow with all for a while: no row is blamed");
	ok(unfinished == 0 && wrong == 0, "and all land");
}

static void
test_staging(void)
{
	struct shipped total = { 0 };
	struct batch b;
	struct ship s;

	reset(DUPLICATE, NONE, 0);
	if (batch_init(&b, 100, 100000) != ERR_OK)
		return;
	ship_init(&s, 100, &(struct ship_cap){ .rows = 1000 });
	fill(&b, f.progress);
	ok(ship(&s, &f.base, &b, &total) == ERR_OK && s.staged_left == 99,
	    "after a duplicate batches are staged");
	while (s.staged_left > 0 && f.attempts < 1000) {
		memset(f.progress, 0, sizeof f.progress);
		fill(&b, f.progress);
		if (ship(&s, &f.base, &b, &total) != ERR_OK)
			break;
	}
	is_int(f.attempts, 101, "until 100 of them held none");
	batch_fini(&b);
}

static void
test_cap(void)
{
	struct shipped total = { 0 };
	struct ship_cap cap = { .rows = 2 };
	struct batch b;
	struct ship s;

	reset(LOST_BEFORE, RIGHT, -1);
	f.poison[0][0] = f.poison[0][1] = f.poison[0][2] = true;
	if (batch_init(&b, 100, 100000) != ERR_OK)
		return;
	ship_init(&s, 100, &cap);
	fill(&b, f.progress);
	ok(ship(&s, &f.base, &b, &total) == ERR_FULL, "more poison than the cap is ERR_FULL");
	is_int((int)total.quarantined, 2, "as many as the cap went");
	is_int((int)total.rows, 2, "and nothing else");
	ok(strstr(s.errmsg, "quarantine_per_min") != NULL, "the message names the setting");
	cap.minute_ms -= 60000;
	fill(&b, f.progress);
	ok(ship(&s, &f.base, &b, &total) == ERR_OK, "in the next minute it goes on");
	batch_fini(&b);
}

int
main(void)
{
	const char *given = getenv("SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	int fault, hints;

	printf("# SEED=%u\n", seed);
	srand(seed);
	log_init("test_ship", 0);	/* expected warnings are not shown */
	for (fault = 0; fault < N_FAULTS; fault++) {
		test_each_step((enum fault)fault, NONE, 0);
		for (hints = 0; hints < N_HINTS; hints++)
			test_each_step((enum fault)fault, (enum hints)hints, 5);
	}
	for (hints = 0; hints < N_HINTS; hints++)
		test_slow((enum hints)hints), test_slow_moment((enum hints)hints);
	test_cost();
	test_staging();
	test_cap();
	return done();
}
