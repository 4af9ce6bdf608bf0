/*
 * Load generator with an oracle. One process, one epoll loop, N connections.
 *
 * The oracle file tells what was tried and what came of it, one line each:
 *   seed <8 hex digits>
 *   I <first> <n>                      about to send events first .. first+n-1
 *   A <first> <n> <status> <receipt>   acknowledged, all n of them
 *   R <first> <n> <status>             refused (4xx; with --retry, 429 is sent again)
 *   U <first> <n> <status>             unknown: 5xx, or 0: no answer
 * An I line is written before the first byte is sent. A request that is sent
 * again (--retry) has the same bytes and gets lines of its own.
 *
 * With --rate the times of sending are fixed beforehand and latency counts from
 * them, so a server that stalls cannot slow down the clock that measures it.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "tools/load.h"

#define STATUS_MAX	600
#define SCAN_US		5000		/* how often timers are looked at */
#define SUB_BITS	6		/* histogram: 64 steps for each power of two */
#define BUCKETS		(32 << SUB_BITS)

static struct load {
	/* what was asked for */
	struct load_shape shape;
	struct target target;
	unsigned connections, events;
	uint64_t requests;		/* 0: no limit */
	double seconds, rate;		/* 0: no limit */
	int64_t timeout_us, grace_us;
	bool retry, again, expected[STATUS_MAX];	/* [0]: no answer */
	int oracle;			/* fd or -1 */
	/* state */
	int epfd;
	struct conn *conns, **batch;
	struct conn **idle;		/* a ring, so that every connection has its turn */
	unsigned idle_first, n_idle, n_batch, busy;
	int64_t start_us, stop_us;	/* of starting requests; 0: not yet */
	struct buf book;		/* oracle lines not written yet */
	/* results */
	uint64_t started, answered, acked, retries, connects, unexpected, cut;
	uint64_t status[STATUS_MAX], histogram[BUCKETS];
	int64_t max_us;
} g;

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
	interrupted = sig;
}

/* --- the books ------------------------------------------------------------- */

static void
book_flush(void)
{
	size_t done = 0;
	ssize_t n;

	while (g.oracle >= 0 && done < g.book.n) {
		n = write(g.oracle, g.book.p + done, g.book.n - done);
		if (n < 0) {
			perror("load: oracle");
			exit(EX_IOERR);
		}
		done += (size_t)n;
	}
	buf_reset(&g.book);
}

static void
book(char what, const struct conn *c, int status)
{
	if (g.oracle < 0)
		return;
	buf_printf(&g.book, "%c %llu %u", what, (unsigned long long)c->first, c->n);
	if (what != 'I')
		buf_printf(&g.book, " %d", status);
	buf_printf(&g.book, what == 'A' ? " %s\n" : "\n", c->receipt);
}

static void
count_latency(int64_t us)
{
	unsigned shift = 0;
	uint64_t v = us > 0 ? (uint64_t)us : 0;

	if (us > g.max_us)
		g.max_us = us;
	while (v >> shift >= 2u << SUB_BITS)
		shift++;
	v = ((uint64_t)shift << SUB_BITS) + (v >> shift);
	g.histogram[v < BUCKETS ? v : BUCKETS - 1]++;
}

static double
latency_ms(double share)
{
	uint64_t want = (uint64_t)((double)g.answered * share), seen = 0, shift, i;

	for (i = 0; i < BUCKETS - 1; i++) {
		seen += g.histogram[i];
		if (seen > want)
			break;
	}
	shift = i < 2u << SUB_BITS ? 0 : (i >> SUB_BITS) - 1;
	return (double)((i - (shift << SUB_BITS)) << shift) / 1000;
}

/* --- requests -------------------------------------------------------------- */

/* Puts the request of c into this turn's batch; it is sent once the books are written. */
static void
request_queue(struct conn *c)
{
	buf_reset(&c->out);
	c->sent = 0;
	c->status = 0;
	c->receipt[0] = '\0';
	load_request(&c->out, &g.shape, c->first, c->n);
	book('I', c, 0);
	c->tries++;
	c->in_flight = true;
	c->sent_us = clock_mono_us();
	g.batch[g.n_batch++] = c;
}

static void
request_done(struct conn *c)
{
	c->n = 0;
	g.busy--;
}

static void
request_start(struct conn *c, int64_t due_us)
{
	c->first = g.started++ * g.events;
	c->n = g.events;
	c->tries = 0;
	c->due_us = due_us;
	g.busy++;
	request_queue(c);
}

static void
request_again(struct conn *c, int64_t now)
{
	int64_t wait = 50000LL << (c->tries < 6 ? c->tries - 1 : 4);

	if (!g.retry) {
		request_done(c);
		return;
	}
	g.retries++;
	c->wake_us = now + wait;
}

static struct conn **
idle_at(unsigned i)
{
	return &g.idle[(g.idle_first + i) % g.connections];
}

static void
idle_add(struct conn *c)
{
	*idle_at(g.n_idle++) = c;
}

static struct conn *
idle_take(void)
{
	struct conn *c = *idle_at(0);

	g.idle_first = (g.idle_first + 1) % g.connections;
	g.n_idle--;
	return c;
}

static void
idle_remove(const struct conn *c)
{
	unsigned i;

	for (i = 0; i < g.n_idle; i++)
		if (*idle_at(i) == c) {
			*idle_at(i) = *idle_at(--g.n_idle);
			return;
		}
}

static void
complain(const struct conn *c, int status)
{
	if (g.unexpected++ < 3)
		fprintf(stderr, "load: request %llu: status %d, try %u: %.300s\n",
		    (unsigned long long)(c->first / g.events), status, c->tries,
		    status ? c->in : "no answer");
}

static void
lost(struct conn *c, int64_t now)
{
	bool was_open = c->state == CONN_OPEN, silent = c->in_n == 0 && !c->head_done;

	idle_remove(c);
	conn_close(c);
	c->wake_us = now + (was_open ? 0 : 20000);
	if (!c->in_flight)
		return;
	c->in_flight = false;
	if (g.again && c->used && silent && c->tries == 1) {
		g.cut++;
		book('U', c, 0);
		return;
	}
	g.status[0]++;
	if (!g.expected[0])
		complain(c, 0);
	book('U', c, 0);
	request_again(c, now);
}

static void
answer(struct conn *c, int64_t now)
{
	int s = c->status;
	bool all = c->accepted == c->n || (g.oracle < 0 && !c->receipt[0]);

	c->in_flight = false;
	c->used = true;
	g.status[s]++;
	g.answered++;
	if (!g.expected[s] || (s / 100 == 2 && !all))
		complain(c, s);
	count_latency(now - c->due_us);
	if (s / 100 == 2 && all) {
		g.acked += c->n;
		book('A', c, s);
		request_done(c);
	} else {
		book(s / 100 == 4 ? 'R' : 'U', c, s);
		if (s / 100 == 4 && s != 429)
			request_done(c);
		else
			request_again(c, now);
	}
	if (c->last || c->sent < c->out.n) {
		conn_close(c);
		c->wake_us = now > c->wake_us ? now : c->wake_us;
	} else if (c->n == 0) {
		idle_add(c);
	}
}

static void
step(struct conn *c, enum conn_event ev)
{
	int64_t now = clock_mono_us();

	switch (ev) {
	case CONN_NOTHING:
		break;
	case CONN_READY:
		g.connects++;
		c->used = false;
		if (c->n > 0)
			request_queue(c);
		else
			idle_add(c);
		break;
	case CONN_ANSWER:
		answer(c, now);
		break;
	case CONN_LOST:
		lost(c, now);
		break;
	}
}

/* --- the loop -------------------------------------------------------------- */

/* Starts what is due; returns the time of the next one, or INT64_MAX. */
static int64_t
start_due(int64_t now)
{
	int64_t due;

	while (g.start_us && !g.stop_us) {
		if (interrupted || (g.requests && g.started == g.requests) ||
		    (g.seconds > 0 && (double)(now - g.start_us) >= g.seconds * 1e6)) {
			g.stop_us = now;
			break;
		}
		due = g.rate > 0 ? g.start_us + (int64_t)((double)g.started * 1e6 / g.rate) : now;
		if (due > now)
			return due;
		if (g.n_idle == 0)
			break;
		request_start(idle_take(), due);
	}
	return INT64_MAX;
}

static void
send_batch(void)
{
	unsigned i;

	if (g.n_batch > 0)
		book_flush();
	for (i = 0; i < g.n_batch; i++)
		step(g.batch[i], conn_send(g.batch[i], g.epfd));
	g.n_batch = 0;
}

/* Timers: connections to open, requests to send again or to give up. */
static void
scan(int64_t now)
{
	struct conn *c;

	for (c = g.conns; c < g.conns + g.connections; c++) {
		if (c->in_flight && now - c->sent_us > g.timeout_us)
			lost(c, now);
		if (c->state == CONN_CLOSED && now >= c->wake_us && (c->n > 0 || !g.stop_us))
			step(c, conn_open(c, &g.target, g.epfd));
		else if (c->state == CONN_OPEN && c->n > 0 && !c->in_flight && now >= c->wake_us)
			request_queue(c);
	}
}

static void
run(void)
{
	struct epoll_event ev[256];
	int64_t now = clock_mono_us(), next_scan = 0, next, began = now;
	struct timespec wait = { 0 };
	int i, n;

	while (!g.stop_us || (g.busy > 0 && now - g.stop_us < g.grace_us)) {
		if (now >= next_scan) {
			scan(now);
			next_scan = now + SCAN_US;
		}
		/* the schedule begins when the connections stand */
		if (!g.start_us && (g.n_idle == g.connections || now - began > 2000000))
			g.start_us = now;
		next = start_due(now);
		send_batch();
		if (next > next_scan)
			next = next_scan;
		wait.tv_nsec = next > now ? (next - now) * 1000 : 0;
		n = epoll_pwait2(g.epfd, ev, 256, &wait, NULL);
		for (i = 0; i < n; i++)
			step(ev[i].data.ptr, conn_step(ev[i].data.ptr, g.epfd));
		now = clock_mono_us();
	}
	for (i = 0; i < (int)g.connections; i++)
		if (g.conns[i].n > 0)
			book('U', &g.conns[i], 0);
	book_flush();
}

static void
report(void)
{
	double s = (double)(clock_mono_us() - g.start_us) / 1e6;
	const char *comma = "";
	struct rusage ru;
	int i;

	getrusage(RUSAGE_SELF, &ru);
	printf("{\"seed\":\"%08x\",\"requests\":%llu,\"answered\":%llu,\"lost\":%llu,\"unfinished\":%u,"
	    "\"retries\":%llu,\"cut\":%llu,\"connects\":%llu,\"unexpected\":%llu,\"events_acked\":%llu,\"statuses\":{",
	    g.shape.seed, (unsigned long long)g.started, (unsigned long long)g.answered,
	    (unsigned long long)g.status[0], g.busy, (unsigned long long)g.retries,
	    (unsigned long long)g.cut,
	    (unsigned long long)g.connects, (unsigned long long)g.unexpected,
	    (unsigned long long)g.acked);
	for (i = 1; i < STATUS_MAX; i++)
		if (g.status[i]) {
			printf("%s\"%d\":%llu", comma, i, (unsigned long long)g.status[i]);
			comma = ",";
		}
	printf("},\"seconds\":%.3f,\"rate\":%.0f,\"events_rate\":%.0f,\"latency_ms\":{\"p50\":%.3f,"
	    "\"p90\":%.3f,\"p99\":%.3f,\"p99.9\":%.3f,\"max\":%.3f},\"cpu_seconds\":%.2f,\"rss_kib\":%ld}\n",
	    s, (double)g.answered / s, (double)g.acked / s, latency_ms(.5), latency_ms(.9),
	    latency_ms(.99), latency_ms(.999), (double)g.max_us / 1000,
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6, ru.ru_maxrss);
}

/* --- options --------------------------------------------------------------- */

static const char usage[] =
	"usage: load [options] http[s]://IP:PORT/PATH\n"
	"  -c, --connections N   (64)      -n, --requests N      stop after N requests\n"
	"  -t, --seconds S       stop      -r, --rate R          requests a second, on a fixed schedule\n"
	"  -e, --events N        a request (1)\n"
	"  -f, --form FORM       object, array or ndjson         -z, --gzip\n"
	"  -b, --bytes N         an event (345)                  -s, --seed HEX\n"
	"  -o, --oracle FILE     intents and outcomes            -R, --retry  send again after 5xx or no answer\n"
	"  -k, --again           send again, once, what a kept connection that ends in silence has\n"
	"                        cut off, as browsers and curl do\n"
	"  -E, --half-close      end the sending side behind each request, and then read the answer\n"
	"  -x, --expect LIST     statuses that are right, and `lost' (202); others make the exit status 1\n"
	"  -T, --timeout S       for an answer (30)              -g, --grace S  for open requests at the end (60)\n"
	"  -C, --ca FILE         check the server's certificate  -H, --host NAME  (localhost)\n"
	"  -u, --unix PATH       connect to this socket\n";

static void
usage_exit(const char *what)
{
	fprintf(stderr, "load: %s\n%s", what, usage);
	exit(EX_USAGE);
}

static double
number(const char *s, double least)
{
	char *end;
	double v = strtod(s, &end);

	if (*end || !(v >= least))
		usage_exit("bad number");
	return v;
}

static void
parse_expect(const char *s)
{
	memset(g.expected, 0, sizeof g.expected);
	for (; *s; s += strcspn(s, ","), s += *s == ',') {
		long v = strncmp(s, "lost", 4) == 0 ? 0 : strtol(s, NULL, 10);

		if (v < 0 || v >= STATUS_MAX)
			usage_exit("bad status");
		g.expected[v] = true;
	}
}

static void
parse_url(char *url, const char *ca)
{
	char *p, *port;
	bool tls = strncmp(url, "https://", 8) == 0;

	if (!tls && strncmp(url, "http://", 7) != 0)
		usage_exit("bad URL");
	p = url + (tls ? 8 : 7);
	g.target.ip = p;
	p = strchr(p, '/');
	g.shape.path = p ? strdup(p) : "/v1/events";
	if (p)
		*p = '\0';
	port = strrchr(g.target.ip, ':');
	g.target.port = port ? (uint16_t)strtoul(port + 1, NULL, 10) : tls ? 443 : 80;
	if (port)
		*port = '\0';
	if (!tls)
		return;
	g.target.tls = SSL_CTX_new(TLS_client_method());
	CHECK(g.target.tls);
	SSL_CTX_set_mode(g.target.tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(g.target.tls, 1);
	if (ca) {
		if (SSL_CTX_load_verify_file(g.target.tls, ca) != 1)
			usage_exit("cannot read the CA file");
		SSL_CTX_set_verify(g.target.tls, SSL_VERIFY_PEER, NULL);
	}
}

static void
set_form(const char *s)
{
	static const char *const names[] = { "object", "array", "ndjson" };
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(s, names[i]) == 0) {
			g.shape.form = (enum load_form)i;
			return;
		}
	usage_exit("bad form");
}

static void
set_oracle(const char *path)
{
	g.oracle = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (g.oracle < 0) {
		perror(path);
		exit(EX_CANTCREAT);
	}
}

static void
option(int opt, char *arg, const char **ca)
{
	switch (opt) {
	case 'c': g.connections = (unsigned)number(arg, 1); break;
	case 'n': g.requests = (uint64_t)number(arg, 1); break;
	case 't': g.seconds = number(arg, 0.001); break;
	case 'r': g.rate = number(arg, 0.001); break;
	case 'e': g.events = (unsigned)number(arg, 1); break;
	case 'f': set_form(arg); break;
	case 'z': g.shape.gzip = true; break;
	case 'b': g.shape.event_bytes = (size_t)number(arg, 1); break;
	case 's': g.shape.seed = (uint32_t)strtoul(arg, NULL, 16); break;
	case 'o': set_oracle(arg); break;
	case 'R': g.retry = true; break;
	case 'k': g.again = true; break;
	case 'E': g.target.half_close = true; break;
	case 'x': parse_expect(arg); break;
	case 'T': g.timeout_us = (int64_t)(number(arg, 0.001) * 1e6); break;
	case 'g': g.grace_us = (int64_t)(number(arg, 0) * 1e6); break;
	case 'C': *ca = arg; break;
	case 'H': g.shape.host = g.target.host = arg; break;
	case 'u': g.target.unix_path = arg; break;
	default: usage_exit("bad option");
	}
}

static void
parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "connections", 1, NULL, 'c' }, { "requests", 1, NULL, 'n' },
		{ "seconds", 1, NULL, 't' }, { "rate", 1, NULL, 'r' }, { "events", 1, NULL, 'e' },
		{ "form", 1, NULL, 'f' }, { "gzip", 0, NULL, 'z' }, { "bytes", 1, NULL, 'b' },
		{ "seed", 1, NULL, 's' }, { "oracle", 1, NULL, 'o' }, { "retry", 0, NULL, 'R' }, { "again", 0, NULL, 'k' },
		{ "half-close", 0, NULL, 'E' },
		{ "expect", 1, NULL, 'x' }, { "timeout", 1, NULL, 'T' }, { "grace", 1, NULL, 'g' },
		{ "ca", 1, NULL, 'C' }, { "host", 1, NULL, 'H' }, { "unix", 1, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	const char *ca = NULL;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:n:t:r:e:f:zb:s:o:RkEx:T:g:C:H:u:", longs, NULL)) != -1)
		option(opt, optarg, &ca);
	if (argc - optind != 1)
		usage_exit("one URL, please");
	if (g.shape.form == FORM_OBJECT && g.events != 1)
		usage_exit("an object is one event; use --form array or ndjson");
	if (!g.requests && g.seconds <= 0)
		usage_exit("say --requests or --seconds");
	parse_url(argv[optind], ca);
}

int
main(int argc, char **argv)
{
	static char localhost[] = "localhost";
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned i;

	g.connections = 64;
	g.events = 1;
	g.timeout_us = 30000000;
	g.grace_us = 60000000;
	g.oracle = -1;
	g.expected[202] = true;
	g.shape.host = g.target.host = localhost;
	CHECK(getrandom(&g.shape.seed, sizeof g.shape.seed, 0) == sizeof g.shape.seed);
	parse_options(argc, argv);
	buf_init(&g.book, (size_t)1 << 24);
	g.conns = calloc(g.connections, sizeof *g.conns);
	g.idle = calloc(g.connections, sizeof(struct conn *));
	g.batch = calloc(g.connections, sizeof(struct conn *));
	g.epfd = epoll_create1(EPOLL_CLOEXEC);
	CHECK(g.conns && g.idle && g.batch && g.epfd >= 0);
	for (i = 0; i < g.connections; i++)
		buf_init(&g.conns[i].out, (size_t)65 << 20);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (g.oracle >= 0)
		buf_printf(&g.book, "seed %08x\n", g.shape.seed);
	run();
	report();
	return g.unexpected > 0 || g.busy > 0;
}
