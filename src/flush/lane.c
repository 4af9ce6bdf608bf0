#include "flush/lane.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

static void
ring(int fd)
{
	const uint64_t one = 1;

	CHECK(write(fd, &one, sizeof one) == sizeof one);
}

/* Called by the sink while it waits. */
static bool
told_to_quit(void *arg)
{
	return __atomic_load_n(&((struct lane *)arg)->quit, __ATOMIC_ACQUIRE);
}

static void *
work(void *arg)
{
	struct lane *l = arg;
	uint64_t n;

	while (read(l->go, &n, sizeof n) == sizeof n && !told_to_quit(l)) {
		if (l->job == LANE_CONNECT)
			l->err = l->sink->ops->connect(l->sink);
		else
			l->err = ship(&l->ship, l->sink, &l->batch, &l->shipped);
		__atomic_store_n(&l->at_work, false, __ATOMIC_RELEASE);
		ring(l->done);
	}
	return NULL;
}

enum err
lane_open(struct lane *l, struct sink *sink, const struct conf *c, struct ship_cap *cap, int done)
{
	*l = (struct lane){ .sink = sink, .done = done, .go = eventfd(0, EFD_CLOEXEC) };
	sink->arg = l;
	ship_init(&l->ship, c->flush_batch_rows, cap);
	if (l->go >= 0 && batch_init(&l->batch, c->flush_batch_rows, c->flush_batch_bytes) == ERR_OK &&
	    pthread_create(&l->thread, NULL, work, l) == 0)
		return ERR_OK;
	if (l->go >= 0)
		close(l->go);
	batch_fini(&l->batch);
	sink->ops->close(&l->sink);
	return ERR_NOMEM;
}

void
lane_close(struct lane *l)
{
	if (!l->sink)
		return;
	__atomic_store_n(&l->quit, true, __ATOMIC_RELEASE);
	ring(l->go);
	pthread_join(l->thread, NULL);
	close(l->go);
	batch_fini(&l->batch);
	l->sink->ops->close(&l->sink);
}

void
lane_send(struct lane *l, enum lane_job job)
{
	l->state = LANE_BUSY;
	l->job = job;
	l->shipped = (struct shipped){ 0 };
	l->sent_ms = clock_mono_ms();
	l->tick = l->sink->tick;
	l->sink->tick = told_to_quit;
	l->at_work = true;
	ring(l->go);
}

bool
lane_landed(struct lane *l)
{
	if (l->state != LANE_BUSY || __atomic_load_n(&l->at_work, __ATOMIC_ACQUIRE))
		return false;
	l->sink->tick = l->tick;
	l->state = LANE_IDLE;
	return true;
}
