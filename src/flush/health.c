#include "flush/health.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"

#define PAUSE_MIN_MS	250
#define PAUSE_MAX_MS	8000
#define REPEAT_MS	60000		/* an unchanged complaint is logged this often */

void
health_init(struct health *h, struct stat_slot *stat)
{
	*h = (struct health){ .stat = stat };
}

static void
set_stuck(struct health *h, bool stuck)
{
	h->stuck = stuck;
	stat_set(h->stat, STAT_flush_alarm, stuck || h->journal_ill || h->unmaintained > 1);
}

static void
set_up(struct health *h, bool up)
{
	h->up = up;
	stat_set(h->stat, STAT_flush_connected, up);
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

/* Half of the pause is chance, so that many nodes do not come back at once. */
static int64_t
pause_ms(const struct health *h)
{
	int64_t ms = PAUSE_MIN_MS << (h->failures < 6 ? h->failures : 6);
	uint32_t chance = 0;

	if (ms > PAUSE_MAX_MS)
		ms = PAUSE_MAX_MS;
	(void)!getrandom(&chance, sizeof chance, 0);
	return ms / 2 + chance % (ms / 2 + 1);
}

/* Waits are for what passes by itself, alarms for what a person has to do. */
int64_t
health_failed(struct health *h, enum err e, const char *why, bool up)
{
	bool alarm = e == ERR_SETUP || e == ERR_FULL || err_class(e) != CLASS_RETRY;
	int64_t pause = pause_ms(h);

	h->failures++;
	set_up(h, up);
	set_stuck(h, alarm);
	complain(&h->sink_says, alarm ? LOG_ERROR : LOG_WARNING, alarm ? "flush.alarm" : "flush.wait", why);
	return pause;
}

void
health_at_ease(struct health *h)
{
	set_up(h, true);
	set_stuck(h, false);
}

void
health_went_well(struct health *h)
{
	h->failures = 0;
	health_at_ease(h);
	if (h->sink_says.text[0]) {
		log_info("flush.recovered", "batches are taken again");
		h->sink_says.text[0] = '\0';
	}
}

void
health_shipped(struct health *h, const struct shipped *s)
{
	stat_add(h->stat, STAT_flush_rows_loaded_total, s->loaded);
	stat_add(h->stat, STAT_flush_rows_duplicate_total, s->duplicates);
	stat_add(h->stat, STAT_flush_rows_differing_total, s->differing);
	stat_add(h->stat, STAT_flush_rows_quarantined_total, s->quarantined);
	stat_add(h->stat, STAT_flush_rows_rejected_total, s->rejected);
	stat_add(h->stat, STAT_flush_rows_passed_total, s->passed);
	stat_add(h->stat, STAT_flush_batches_total, s->batches);
	stat_add(h->stat, STAT_flush_attempts_failed_total, s->failed);
}

void
health_moved(struct health *h)
{
	h->failures = 0;
}

/* Once, until one is heard again. */
void
health_announced(struct health *h, struct sink *sink, uint64_t loaded)
{
	stat_add(h->stat, STAT_flush_notify_dropped_total, sink->unheard);
	if (sink->unheard > 0 && !h->unheard)
		log_warning("flush.notify", "batches land, but who listens on flush.notify does not hear of it: %s",
		    sink->unheard_why);
	if (sink->unheard > 0 || loaded > 0)
		h->unheard = sink->unheard > 0;
	sink->unheard = 0;
}

void
health_maintained(struct health *h, enum err e, const char *why)
{
	char text[sizeof h->maintenance_says.text];
	bool alarm;

	h->unmaintained = e == ERR_INVALID ? h->unmaintained + 1 : 0;
	if (e != ERR_INVALID)
		return;
	alarm = h->unmaintained > 1;
	snprintf(text, sizeof text, "partitions ahead and flush.retention: %s", why);
	complain(&h->maintenance_says, alarm ? LOG_ERROR : LOG_WARNING, alarm ? "flush.alarm" : "flush.maintain", text);
}

void
health_journal(struct health *h, const char *why)
{
	h->journal_ill = *why != '\0';
	if (h->journal_ill)
		complain(&h->journal_says, LOG_ERROR, "flush.alarm", why);
	set_stuck(h, h->stuck);
}
