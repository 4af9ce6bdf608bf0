#include "collect/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/stat.h"

#define POLL_MS		100
#define STUCK_MS	60000		/* without a turn; a slow fsync is not stuck */
#define BACKOFF_MIN_MS	100
#define BACKOFF_MAX_MS	30000
#define LIVED_MS	1000		/* who lived this long is replaced at once */
#define MAX_WORKERS	512		/* two generations of the most there can be */

struct child {
	pid_t pid;			/* 0: free */
	unsigned generation;
	int64_t started_ms;
	int64_t kill_at_ms;		/* retiring: SIGKILL then; 0: not told to stop */
};

struct master {
	struct master_args *a;
	struct child children[MAX_WORKERS];	/* index is the stat slot */
	unsigned n_slots;
	unsigned want;			/* workers of the newest generation */
	unsigned generation;
	int64_t spawn_at_ms, backoff_ms;
	bool stopping, announced;
	int signals;
	int64_t watchdog_ms, watchdog_at_ms;
	int64_t turned_ms, awake_ms;	/* the last turn; since when there is one all the time */
};

/* SIGABRT stays: with it systemd's watchdog ends a master that does not read signals. */
static int
open_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_SETMASK, &all, NULL);
	return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

static unsigned
workers_wanted(const struct conf *c)
{
	unsigned n = c->collect_workers ? (unsigned)c->collect_workers : cpus_usable();

	return n > MAX_WORKERS / 2 ? MAX_WORKERS / 2 : n;
}

static bool
is_current(const struct master *m, const struct child *c)
{
	return c->pid && c->generation == m->generation && !c->kill_at_ms;
}

static unsigned
count(const struct master *m, bool (*which)(const struct master *, const struct child *))
{
	unsigned i, n = 0;

	for (i = 0; i < m->n_slots; i++)
		n += which(m, &m->children[i]);
	return n;
}

static bool
is_alive(const struct master *m UNUSED, const struct child *c)
{
	return c->pid != 0;
}

static bool
is_ready(const struct master *m, const struct child *c)
{
	return is_current(m, c) &&
	    m->a->stats->slots[c - m->children].phase == PHASE_READY;
}

static bool
accepts(const struct master *m, const struct child *c)
{
	const struct stat_slot *s = &m->a->stats->slots[c - m->children];

	return is_ready(m, c) && __atomic_load_n(&s->v[STAT_collect_ready], __ATOMIC_RELAXED) > 0;
}

/* What the child must not share with its siblings; what fork copied and it does
 * not need goes at exec or exit. The journal is opened after the fork (INV-6). */
static void NORETURN
child_main(struct master *m, unsigned slot, pid_t master)
{
	prctl(PR_SET_PDEATHSIG, WORKER_LEAVE);
	close(m->signals);
	exit(m->a->work(m->a->conf, slot, m->a->listen_fd, m->a->peer, master));
}

static bool
spawn(struct master *m, unsigned slot, int64_t now)
{
	struct stat_slot *s = &m->a->stats->slots[slot];
	pid_t master = getpid(), pid;

	s->phase = PHASE_STARTING;
	s->heartbeat_ms = now;
	pid = fork();
	if (pid == 0)
		child_main(m, slot, master);
	if (pid < 0) {
		log_limited(LOG_ERROR, "worker.fork_failed", "cause=\"%s\"", strerror(errno));
		return false;
	}
	s->pid = (int32_t)pid;
	m->children[slot] = (struct child){ .pid = pid, .generation = m->generation, .started_ms = now };
	log_info("worker.started", "worker=%ld slot=%u", (long)pid, slot);
	return true;
}

static void
back_off(struct master *m, int64_t now)
{
	m->backoff_ms = m->backoff_ms ? m->backoff_ms * 2 : BACKOFF_MIN_MS;
	if (m->backoff_ms > BACKOFF_MAX_MS)
		m->backoff_ms = BACKOFF_MAX_MS;
	m->spawn_at_ms = now + m->backoff_ms;
}

static void
spawn_missing(struct master *m, int64_t now)
{
	unsigned have = count(m, is_current), slot;

	if (m->stopping || now < m->spawn_at_ms)
		return;
	for (slot = 0; slot < m->n_slots && have < m->want; slot++) {
		if (m->children[slot].pid)
			continue;
		if (!spawn(m, slot, now)) {
			back_off(m, now);
			return;
		}
		have++;
	}
}

static void
tell(struct master *m, struct child *c, int what, int64_t now)
{
	if (!c->kill_at_ms)
		c->kill_at_ms = now + m->a->conf->collect_stop_timeout + 5000;
	kill(c->pid, what);
}

static void
retire(struct master *m, struct child *c, int64_t now)
{
	if (c->pid && !c->kill_at_ms)
		tell(m, c, WORKER_LEAVE, now);
}

/* A new generation is whole: the old one may go. */
static void
retire_old(struct master *m, int64_t now)
{
	unsigned i;

	if (count(m, is_ready) < m->want)
		return;
	for (i = 0; i < m->n_slots; i++)
		if (m->children[i].generation != m->generation)
			retire(m, &m->children[i], now);
}

/* Nobody is there any more: what was so at the moment is not, totals stay. */
static void
clear(struct stat_slot *s)
{
	s->pid = 0;
	s->heartbeat_ms = 0;
	stat_set(s, STAT_collect_ready, 0);
	stat_set(s, STAT_collect_connections, 0);
}

static void
reaped(struct master *m, pid_t pid, int status, int64_t now)
{
	struct child *c;
	unsigned i;

	for (i = 0; i < m->n_slots && m->children[i].pid != pid; i++)
		;
	if (i == m->n_slots)
		return;
	c = &m->children[i];
	clear(&m->a->stats->slots[i]);
	if (c->kill_at_ms) {
		log_info("worker.stopped", "worker=%ld", (long)pid);
	} else {
		log_error("worker.died", "worker=%ld %s=%d", (long)pid,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		stat_add(&m->a->stats->slots[i], STAT_collect_worker_deaths_total, 1);
		if (now - c->started_ms > LIVED_MS)
			m->backoff_ms = 0;
		else
			back_off(m, now);
	}
	*c = (struct child){ .pid = 0 };
}

/* A child that does not turn any more. All were frozen for as long as the master was:
 * they have their time from then on. Who beats in a file that was replaced has no beat
 * in this one. */
static bool
is_stuck(const struct master *m, const struct child *c, int64_t now)
{
	int64_t beat = m->a->stats->slots[c - m->children].heartbeat_ms;

	return beat > 0 && now - m->awake_ms > STUCK_MS && now - beat > STUCK_MS;
}

/* Kills who does not turn, or does not leave in time. */
static void
kill_stuck(struct master *m, int64_t now)
{
	struct child *c;
	unsigned i;

	if (now - m->turned_ms > STUCK_MS / 2)
		m->awake_ms = now;
	m->turned_ms = now;
	for (i = 0; i < m->n_slots; i++) {
		c = &m->children[i];
		if (c->pid && (is_stuck(m, c, now) || (c->kill_at_ms && now > c->kill_at_ms))) {
			log_limited(LOG_ERROR, "worker.killed", "worker=%ld cause=\"stuck\"", (long)c->pid);
			kill(c->pid, SIGKILL);
		}
	}
}

static bool
is_older(const struct master *m, const struct child *c)
{
	return c->pid && c->generation != m->generation && !c->kill_at_ms;
}

/* A generation that is not whole leaves when its successor comes: the older one
 * serves until that is whole. If it stayed, reloads in quick succession would fill
 * all slots with workers that wait for those which find none. */
static void
retire_unfinished(struct master *m, int64_t now)
{
	unsigned i;

	if (count(m, is_older) == 0)
		return;
	for (i = 0; i < m->n_slots; i++)
		if (is_current(m, &m->children[i]))
			retire(m, &m->children[i], now);
}

static void
reload(struct master *m)
{
	struct handover h = { .listen_fd = m->a->listen_fd };
	unsigned i;

	if (!handover_test()) {
		log_error("reload.refused", "keeping=\"what runs\" see=\"the lines above\"");
		return;
	}
	retire_unfinished(m, clock_mono_ms());
	for (i = 0; i < m->n_slots; i++)
		if (m->children[i].pid)
			h.children[h.n++] = (struct handover_child){
				m->children[i].pid, i, m->children[i].kill_at_ms,
			};
	log_info("reload", "workers=%u", h.n);
	notify("RELOADING=1");
	close(m->signals);
	handover_exec(&h);
	log_error("reload.failed", "cause=\"%s\"", strerror(errno));
	notify("READY=1");
	m->signals = open_signals();
}

/* Workers of the former self go on until the new ones are ready. */
static void
adopt(struct master *m, const struct handover *h, int64_t now)
{
	unsigned i, slot;

	for (i = 0; i < h->n; i++) {
		slot = h->children[i].slot;
		CHECK(slot < m->n_slots);
		m->children[slot] = (struct child){
			.pid = h->children[i].pid, .started_ms = now,
			.kill_at_ms = h->children[i].kill_at_ms,
		};
		m->a->stats->slots[slot].pid = (int32_t)h->children[i].pid;
	}
	for (i = 0; i < m->n_slots; i++)
		if (!m->children[i].pid)	/* of a former life that ended without a word */
			clear(&m->a->stats->slots[i]);
	m->generation++;
}

static void
stop(struct master *m, int64_t now)
{
	unsigned i;

	if (m->stopping)
		return;
	m->stopping = true;
	notify("STOPPING=1");
	log_info("stop", "draining for at most %lld ms", (long long)m->a->conf->collect_stop_timeout);
	for (i = 0; i < m->n_slots; i++)
		if (m->children[i].pid)	/* who is leaving already serves, too, and is asked /readyz */
			tell(m, &m->children[i], WORKER_STOP, now);
}

static void
read_signals(struct master *m, int64_t now)
{
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	while (read(m->signals, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
			stop(m, now);
		else if (si.ssi_signo == SIGHUP && !m->stopping)
			reload(m);
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reaped(m, pid, status, now);
}

/* Who has no place in the journal answers 503, and does so until there is one. */
static void
tell_ready(const struct master *m)
{
	unsigned ready = count(m, accepts);

	if (ready >= m->want)
		log_info("ready", "workers=%u", m->want);
	else
		log_warning("started", "workers=%u ready=%u others=\"cannot store yet, or the node is drained\"", m->want, ready);
}

static void
tell_systemd(struct master *m, int64_t now)
{
	if (!m->announced && count(m, is_ready) >= m->want) {
		m->announced = true;
		notify("READY=1");
		tell_ready(m);
	}
	if (m->watchdog_ms && now >= m->watchdog_at_ms) {
		m->watchdog_at_ms = now + m->watchdog_ms;
		notify("WATCHDOG=1");
	}
}

int
master_run(struct master_args *a)
{
	static struct master m;
	struct pollfd p;
	int64_t now;

	m = (struct master){ .a = a, .want = workers_wanted(a->conf) };
	m.n_slots = a->stats->n < MAX_WORKERS ? a->stats->n : MAX_WORKERS;
	CHECK(m.n_slots >= 2 * m.want);
	m.signals = open_signals();
	if (m.signals < 0)
		return EX_OSERR;
	adopt(&m, a->before, clock_mono_ms());
	m.watchdog_ms = notify_watchdog_ms();
	for (;;) {
		now = clock_mono_ms();
		read_signals(&m, now);
		if (m.stopping && count(&m, is_alive) == 0)
			break;
		spawn_missing(&m, now);
		retire_old(&m, now);
		kill_stuck(&m, now);
		tell_systemd(&m, now);
		p = (struct pollfd){ .fd = m.signals, .events = POLLIN };
		poll(&p, 1, POLL_MS);
	}
	close(m.signals);
	log_info("stopped", "all workers have left");
	return EX_OK;
}
