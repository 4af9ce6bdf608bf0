#include "flush/life.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"

#define SLEEP_MAX_MS	1000

void
life_init(struct life *l)
{
	sigset_t set;

	*l = (struct life){ .stopping = false };
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	l->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(l->signals >= 0);
}

void
life_begin(struct life *l, struct stat_slot *stat, int64_t stop_ms)
{
	l->stat = stat;
	l->stop_ms = stop_ms;
	l->ping_ms = notify_watchdog_ms();
	__atomic_store_n(&stat->phase, PHASE_READY, __ATOMIC_RELAXED);
	notify("READY=1");
}

static void
told_to_stop(struct life *l)
{
	if (l->stopping) {		/* twice: at once */
		l->stop_by = 0;
		return;
	}
	l->stopping = true;
	l->hang_up = false;		/* who begins anew would not know that it is to stop */
	l->stop_by = clock_mono_ms() + l->stop_ms;
	__atomic_store_n(&l->stat->phase, PHASE_STOPPING, __ATOMIC_RELAXED);
	notify("STOPPING=1");
	log_info("flush.stop", "carrying over what is there");
}

static void
take_signals(struct life *l)
{
	struct signalfd_siginfo si;

	while (read(l->signals, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == SIGHUP)
			l->hang_up = !l->stopping;
		else
			told_to_stop(l);
	}
}

bool
life_tick(struct life *l)
{
	int64_t now = clock_mono_ms();

	__atomic_store_n(&l->stat->heartbeat_ms, now, __ATOMIC_RELAXED);
	if (l->ping_ms > 0 && now >= l->next_ping) {
		notify("WATCHDOG=1");
		l->next_ping = now + l->ping_ms;
	}
	take_signals(l);
	return l->stopping && now >= l->stop_by;
}

void
life_wait(struct life *l, int64_t when, int woken)
{
	struct pollfd fds[] = { { .fd = l->signals, .events = POLLIN }, { .fd = woken, .events = POLLIN } };
	int64_t ms = when - clock_mono_ms();
	uint64_t n;

	if (ms > 0)
		(void)poll(fds, 2, (int)(ms < SLEEP_MAX_MS ? ms : SLEEP_MAX_MS));
	(void)!read(woken, &n, sizeof n);
}
