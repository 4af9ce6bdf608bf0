#include "collect/share.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define SEC	INT64_C(1000000)
#define MINUTE	(60 * SEC)

void
share_open(struct share *s, const struct conf *conf)
{
	*s = (struct share){ .conf = conf };
	if (tally_open(&s->tally, conf->run_dir) != ERR_OK)
		log_warning("keys.uncounted", "dir=%s cause=\"%s\"", conf->run_dir, strerror(errno));
}

void
share_close(struct share *s)
{
	tally_close(&s->tally);
}

/* What the key has used of its events; NULL: it has no bound. Keys for which the table has no
 * room have none: one bound for all of them would turn senders away for what others sent. */
static uint64_t *
used_by(struct share *s, struct slice key)
{
	struct tally_entry *e = NULL;

	if (s->conf->collect_key_events_per_s > 0 && s->tally.entries)
		e = tally_own(&s->tally, key);
	return e ? &e->events : NULL;
}

/* Microseconds that so many events are worth, where there is a bound. */
static int64_t
worth(const struct share *s, size_t events)
{
	return (int64_t)(events * (uint64_t)SEC / s->conf->collect_key_events_per_s);
}

/* As much as can be owed: a second ahead, and one request over it. */
static int64_t
most_owed(const struct share *s)
{
	return SEC + worth(s, s->conf->collect_events);
}

int
share_wait(struct share *s, struct slice key)
{
	const uint64_t *used = used_by(s, key);
	int64_t over = used ? tally_owed(used, clock_mono_us(), most_owed(s)) - SEC : 0;

	return over > 0 ? (int)(over / SEC) + 1 : 0;
}

void
share_took(struct share *s, struct slice key, size_t events, size_t times_unread)
{
	uint64_t *used = used_by(s, key);

	if (used)
		tally_use(used, clock_mono_us(), worth(s, events), most_owed(s));
	if (times_unread > 0 && s->tally.entries)
		tally_add(&tally_of(&s->tally, key)->times_unread, times_unread);
}

static bool
has_own_share(struct share *s, struct slice key)
{
	uint64_t half = (s->conf->collect_rejections_per_min + 1) / 2;
	int64_t now = clock_mono_us(), each = MINUTE / (int64_t)half;
	struct tally_entry *e;

	if (key.n == 0 || !s->tally.entries)	/* keys are off: there is nobody else */
		return true;
	e = tally_of(&s->tally, key);
	if (tally_owed(&e->rejections, now, MINUTE) > MINUTE - each)
		return false;
	tally_use(&e->rejections, now, each, MINUTE);
	return true;
}

bool
share_rejection(struct share *s, struct slice key)
{
	int64_t now = clock_mono_ms();

	if (now - s->minute_ms >= 60000) {
		s->minute_ms = now;
		s->kept = 0;
	}
	if (s->kept >= s->conf->collect_rejections_per_min || !has_own_share(s, key))
		return false;
	s->kept++;
	return true;
}
