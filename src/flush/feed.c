#include "flush/feed.h"

#include "base/clock.h"
#include "base/crash.h"

void
feed_fill(struct lane *lanes, size_t n, struct tracker *t)
{
	struct lane *l;

	for (l = lanes; l < lanes + n; l++) {
		if (l->state != LANE_IDLE)
			continue;
		if (!l->connected) {
			if (clock_mono_ms() >= l->next_try)
				lane_send(l, LANE_CONNECT);
			continue;
		}
		l->full = tracker_collect(t, &l->batch, false);
		if (l->batch.n == 0)
			l->full = tracker_collect(t, &l->batch, true);
		CRASH_POINT("collected");
		if (l->batch.n > 0)
			l->state = LANE_FILLED;
		if (!l->full)
			return;
	}
}

/* What was sent again after midnight is looked up in the day before, whose rows have to
 * stand there by then. */
static bool
day_before_is_on_its_way(const struct lane *lanes, size_t n, const struct lane *l)
{
	const struct lane *o;
	int64_t first, last, day, unused;

	batch_days(&l->batch, &first, &last);
	for (o = lanes; o < lanes + n; o++) {
		batch_days(&o->batch, &day, &unused);
		if (o->state == LANE_BUSY && day < last)
			return true;
	}
	return false;
}

void
feed_send(struct lane *lanes, size_t n, struct tracker *t)
{
	struct lane *l;

	for (l = lanes; l < lanes + n; l++)
		if (l->state == LANE_FILLED && tracker_is_next(t, &l->batch) &&
		    !day_before_is_on_its_way(lanes, n, l))
			lane_send(l, LANE_SHIP);
}
