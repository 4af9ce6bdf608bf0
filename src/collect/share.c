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

/* Microseconds that so many events are worth; 0: there is no bound. */
static int64_t
worth(const struct share *s, size_t events)
{
	uint64_t a_second = s->conf->collect_key_events_per_s;

	return a_second > 0 && s->tally.entries ? (int64_t)(events * (uint64_t)SEC / a_second) : 0;
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
	int64_t over;

	if (worth(s, 1000000) == 0)
		return 0;
	over = tally_owed(&tally_of(&s->tally, key)->events, clock_mono_us(), most_owed(s)) - SEC;
	return over > 0 ? (int)(over / SEC) + 1 : 0;
}

void
share_took(struct share *s, struct slice key, size_t events, size_t times_unread)
{
	int64_t us = worth(s, events);

	if (us > 0)
		tally_use(&tally_of(&s->tally, key)->events, clock_mono_us(), us, most_owed(s));
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
