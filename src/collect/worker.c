#include "collect/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "collect/door.h"
#include "collect/fcgi.h"
#include "collect/listen.h"
#include "collect/master.h"
#include "collect/reply.h"

/* A turn ends with the events of one epoll_wait, or at these bounds. */
#define TURN_EVENTS	512
#define TURN_BYTES	(8 * 1024 * 1024)
#define CONNECTIONS_MAX	4096
#define SPARE_FILES	32		/* left for a new segment, keys and /metrics */
#define TICK_MS		1000
#define DRAIN_PERCENT	40		/* of stop_timeout; nginx's idle connections need the rest */

enum stage {
	SERVING,
	DRAINING,	/* told to stop: /readyz says no, and everything is served as ever */
	LEAVING,	/* accepts no connection; serves those it has until nginx closes them */
};

struct conn {
	struct fcgi *fcgi;
	struct reply reply;
	int64_t partial_since;		/* a request has begun to arrive; 0: none */
	int64_t read_us;		/* when the request had been read */
	struct conn *next, *prev;	/* of all */
	struct conn *turn_next;		/* of those that wait for the commit */
};

struct worker {
	const struct worker_args *args;
	struct door *door;
	int epoll, signals;
	struct conn *conns;
	unsigned n_conns, most;		/* most: as many as there may be */
	bool accepting;			/* the listening socket is watched */
	enum stage stage;
	int64_t leave_at, stop_at;	/* when DRAINING, and when all ends at the latest */
	struct conn *turn, **turn_tail;
	unsigned turn_requests;
	size_t turn_bytes;
	struct buf body;
};

static void
stat_one(struct worker *w, enum stat_counter c)
{
	stat_add(w->args->slot, c, 1);
}

static void
watch(struct worker *w, bool on)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = w };

	if (on == w->accepting)
		return;
	if (epoll_ctl(w->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, w->args->listen_fd, &ev) == 0)
		w->accepting = on;
}

static void
drop(struct worker *w, struct conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		w->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	fcgi_close(&c->fcgi);		/* leaves epoll with its last descriptor */
	reply_fini(&c->reply);
	free(c);
	w->n_conns--;
	stat_set(w->args->slot, STAT_collect_connections, w->n_conns);
}

static void
drop_broken(struct worker *w, struct conn *c)
{
	stat_one(w, STAT_collect_connections_broken_total);
	drop(w, c);
}

static void
add(struct worker *w, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
	struct conn *c = calloc(1, sizeof *c);

	if (!c) {
		close(fd);
		return;
	}
	c->fcgi = fcgi_open(fd);
	ev.data.ptr = c;
	if (!c->fcgi || epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
		fcgi_close(&c->fcgi);
		free(c);
		return;
	}
	reply_init(&c->reply);
	c->next = w->conns;
	if (c->next)
		c->next->prev = c;
	w->conns = c;
	w->n_conns++;
	stat_set(w->args->slot, STAT_collect_connections, w->n_conns);
}

static void
accept_some(struct worker *w)
{
	int fd, i;

	/* few at a time: with several workers each gets its share of connections */
	for (i = 0; i < 16 && w->n_conns < w->most; i++) {
		fd = accept4(w->args->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			/* EMFILE and friends pass: what waits stays in the backlog */
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
				log_limited(LOG_WARNING, "accept.failed", "cause=\"%s\"", strerror(errno));
				watch(w, false);	/* until the next tick */
			}
			return;
		}
		if (listen_peer_allowed(fd, w->args->peer)) {
			add(w, fd);
			continue;
		}
		log_limited(LOG_WARNING, "accept.refused", "cause=\"not nginx's user; see collect.peer\"");
		stat_one(w, STAT_collect_connections_broken_total);
		close(fd);
	}
	if (w->n_conns >= w->most) {
		log_limited(LOG_WARNING, "accept.full", "connections=%u cause=\"%s\" others=\"wait\"", w->n_conns,
		    w->most < CONNECTIONS_MAX ? "the limit of open files" : "no worker takes more");
		watch(w, false);	/* until the next tick */
	}
}

static void
answer(struct worker *w, struct conn *c)
{
	bool taken = fcgi_answer(c->fcgi, &c->reply);

	stat_one(w, STAT_collect_answers_NONE + c->reply.code);
	stat_observe(w->args->slot, TIMES_collect_request, clock_mono_us() - c->read_us);
	if (taken)
		return;
	if (c->reply.durable)
		stat_one(w, STAT_collect_answers_lost_total);
	drop(w, c);
}

/* Commits what the turn has read and answers it: in this order (INV-1). */
static void
end_turn(struct worker *w)
{
	struct conn *c = w->turn, *next;
	bool good;

	if (!c)
		return;
	good = door_commit(w->door);
	w->turn = NULL;
	w->turn_tail = &w->turn;
	w->turn_requests = 0;
	w->turn_bytes = 0;
	for (; c; c = next) {
		next = c->turn_next;
		if (c->reply.durable && !good)
			door_unavailable(&c->reply);
		CHECK(good || !c->reply.durable);
		answer(w, c);
	}
	door_answered(w->door);
}

static void
read_request(struct worker *w, struct conn *c)
{
	struct request q;
	int64_t deadline = clock_mono_ms() + w->args->conf->collect_read_timeout;

	c->partial_since = 0;
	if (fcgi_read(c->fcgi, &w->body, deadline, &q) != ERR_OK) {
		drop_broken(w, c);
		return;
	}
	c->read_us = clock_mono_us();
	stat_one(w, STAT_collect_requests_total);
	reply_reset(&c->reply);
	door_serve(w->door, &q, &c->reply);
	c->turn_next = NULL;
	*w->turn_tail = c;
	w->turn_tail = &c->turn_next;
	w->turn_bytes += c->reply.weight;
	if (++w->turn_requests >= TURN_EVENTS || w->turn_bytes >= TURN_BYTES)
		end_turn(w);
}

static void
ready(struct worker *w, struct conn *c, uint32_t events)
{
	switch (fcgi_look(c->fcgi)) {
	case FCGI_WHOLE:
		read_request(w, c);
		break;
	case FCGI_LARGE:
		/* reading it may wait for nginx: nobody else shall wait with it */
		end_turn(w);
		read_request(w, c);
		break;
	case FCGI_PARTIAL:
		if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
			drop_broken(w, c);
		else if (c->partial_since == 0)
			c->partial_since = clock_mono_ms();
		break;
	case FCGI_NOTHING:
		break;
	case FCGI_GONE:
		drop(w, c);
		break;
	case FCGI_BROKEN:
		drop_broken(w, c);
		break;
	}
}

static void
begin_end(struct worker *w, enum stage stage)
{
	int64_t now = clock_mono_ms(), most = w->args->conf->collect_stop_timeout;

	if (w->stage == SERVING) {
		w->stop_at = now + most;
		w->leave_at = now + most * DRAIN_PERCENT / 100;
		w->args->slot->phase = PHASE_STOPPING;
	}
	if (stage > w->stage)
		w->stage = stage;
	if (w->stage == LEAVING)
		watch(w, false);
}

static void
read_signals(struct worker *w)
{
	struct signalfd_siginfo si;

	while (read(w->signals, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == WORKER_STOP) {
			door_stop(w->door);
			begin_end(w, DRAINING);
		} else if (si.ssi_signo == WORKER_LEAVE) {
			begin_end(w, LEAVING);
		}
	}
}

/* Requests that began to arrive and never ended. */
static void
drop_stalled(struct worker *w, int64_t now)
{
	struct conn *c, *next;

	for (c = w->conns; c; c = next) {
		next = c->next;
		if (c->partial_since && now - c->partial_since > w->args->conf->collect_read_timeout)
			drop_broken(w, c);
	}
}

/* A worker that gave its last descriptor to a connection could begin no segment. */
static void
bound_connections(struct worker *w)
{
	struct rlimit files;

	w->most = CONNECTIONS_MAX;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < CONNECTIONS_MAX + SPARE_FILES)
		w->most = files.rlim_cur > SPARE_FILES ? (unsigned)files.rlim_cur - SPARE_FILES : 1;
}

static void
tick(struct worker *w, int64_t now)
{
	drop_stalled(w, now);
	door_tick(w->door);
	bound_connections(w);
	if (w->stage == DRAINING && now >= w->leave_at)
		begin_end(w, LEAVING);
	if (w->stage != LEAVING && w->n_conns < w->most)
		watch(w, true);
	if (getppid() != w->args->master)	/* gone without a word */
		begin_end(w, LEAVING);
}

static void
loop(struct worker *w)
{
	struct epoll_event ev[TURN_EVENTS];
	int64_t now, next_tick = 0;
	int n, i;

	for (;;) {
		now = clock_mono_ms();
		w->args->slot->heartbeat_ms = now;
		if (w->stage != SERVING && (w->n_conns == 0 || now >= w->stop_at))
			return;
		if (now >= next_tick) {
			tick(w, now);
			next_tick = now + TICK_MS;
		}
		n = epoll_wait(w->epoll, ev, TURN_EVENTS, (int)(next_tick - now));
		for (i = 0; i < n; i++) {
			if (ev[i].data.ptr == w)
				accept_some(w);
			else if (ev[i].data.ptr == NULL)
				read_signals(w);
			else
				ready(w, ev[i].data.ptr, ev[i].events);
		}
		end_turn(w);
	}
}

static bool
set_up(struct worker *w)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
	sigset_t all;

	sigfillset(&all);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	buf_init(&w->body, w->args->conf->collect_body_bytes);
	w->turn_tail = &w->turn;
	return w->epoll >= 0 && w->signals >= 0 &&
	    epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->signals, &ev) == 0 &&
	    fcgi_init() == ERR_OK &&
	    door_open(&w->door, w->args->conf, w->args->slot) == ERR_OK;
}

int
worker_run(const struct worker_args *args)
{
	struct worker w = { .args = args, .epoll = -1, .signals = -1 };
	int status = EX_OK;

	if (set_up(&w)) {
		bound_connections(&w);
		watch(&w, true);
		args->slot->phase = PHASE_READY;
		loop(&w);
	} else {
		log_error("worker.failed", "cause=\"%s\"", strerror(errno));
		status = EX_OSERR;
	}
	while (w.conns)
		drop(&w, w.conns);
	door_close(&w.door);
	buf_fini(&w.body);
	close(w.epoll);
	close(w.signals);
	return status;
}
