/*
 * Speaks FastCGI to a unix socket, one step for each argument, so that a shell
 * script can be nginx, or worse than nginx. The first step that fails ends it
 * with status 1.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"

static const char usage[] =
	"usage: fcgi_req SOCKET STEP ...     (- for the socket: print what would be sent)\n"
	"  post:TEXT        a whole POST /v1/events\n"
	"  get:PATH         a whole GET\n"
	"  begin            begin a request and keep the connection; begin:close: without that\n"
	"  param:NAME=VALUE one parameter;     params-end  the end of parameters\n"
	"  stdin:TEXT       bytes of the body; stdin-end   its end\n"
	"  stdin-file:PATH  bytes of the body from a file\n"
	"  abort            the web server gives the request up\n"
	"  raw:HEX          these bytes\n"
	"  answer           read one answer and print it, as CGI: a head with Status, a body\n"
	"  closed           the other side must close, with no byte more\n"
	"  quiet:MS         the other side must neither send nor close\n"
	"  sleep:MS         wait\n"
	"  hang-up          close, connect anew\n"
	"What is to be sent is kept until a step waits, so that it goes in one piece;\n"
	"answers and closes are waited for up to 15 s.\n";

enum { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };
#define WAIT_MS	15000

static int fd = -1;
static struct buf kept;
static const char *path;

static void
fail(const char *what)
{
	fprintf(stderr, "fcgi_req: %s\n", what);
	exit(1);
}

static void
dial(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strcmp(path, "-") == 0) {
		fd = STDOUT_FILENO;
		return;
	}
	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) < 0)
		fail(strerror(errno));
}

static void
put(const void *p, size_t n)
{
	buf_put(&kept, p, n);
	CHECK(!kept.failed);
}

/* Sends what is kept. The other side may have closed for good reasons: the next
 * step finds out. */
static void
flush(void)
{
	size_t done = 0;
	ssize_t n;

	while (done < kept.n) {
		n = fd == STDOUT_FILENO ? write(fd, kept.p + done, kept.n - done) :
		    send(fd, kept.p + done, kept.n - done, MSG_NOSIGNAL);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	buf_reset(&kept);
}

static void
record(unsigned type, const void *content, size_t n)
{
	unsigned char head[8] = { 1, (unsigned char)type, 0, 1 };
	const char *p = content;
	size_t part;

	do {				/* at least one record, also for nothing */
		part = n < 65528 ? n : 65528;
		head[4] = (unsigned char)(part >> 8);
		head[5] = (unsigned char)part;
		put(head, sizeof head);
		put(p, part);
		p += part;
		n -= part;
	} while (n > 0);
}

static void
begin(bool keep)
{
	const unsigned char body[8] = { 0, 1, keep };

	record(BEGIN, body, sizeof body);
}

static void
param(const char *name, size_t name_n, const char *value)
{
	size_t n[2] = { name_n, strlen(value) }, i;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (i = 0; i < 2; i++) {
		unsigned char len[4] = { (unsigned char)(n[i] >> 24 | 0x80), (unsigned char)(n[i] >> 16),
			(unsigned char)(n[i] >> 8), (unsigned char)n[i] };

		buf_put(&b, n[i] < 128 ? len + 3 : len, n[i] < 128 ? 1 : 4);
	}
	buf_put(&b, name, name_n);
	buf_puts(&b, value);
	CHECK(!b.failed);
	record(PARAMS, b.p, b.n);
	buf_fini(&b);
}

static void
whole(const char *method, const char *uri, const char *body)
{
	char length[24];

	snprintf(length, sizeof length, "%zu", strlen(body));
	begin(true);
	param("REQUEST_METHOD", 14, method);
	param("REQUEST_URI", 11, uri);
	param("CONTENT_LENGTH", 14, length);
	param("REMOTE_ADDR", 11, "192.0.2.1");
	record(PARAMS, "", 0);
	if (*body)
		record(STDIN, body, strlen(body));
	record(STDIN, "", 0);
}

static void
body_file(const char *name)
{
	static char part[65528];
	FILE *f = fopen(name, "r");
	size_t n;

	if (!f)
		fail(name);
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		record(STDIN, part, n);
	fclose(f);
}

static void
raw(const char *hex)
{
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1 && hex[0] && hex[1]; hex += 2)
		put(&(unsigned char){ (unsigned char)byte }, 1);
	if (*hex)
		fail("bad hex digits");
}

/* Waits for the other side: true when there is something to read. */
static bool
wait_input(int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/* Bytes read; fewer than n only when the other side has closed. */
static size_t
get(void *out, size_t n)
{
	size_t done = 0;
	ssize_t got;

	while (done < n) {
		if (!wait_input(WAIT_MS))
			fail("no answer");
		got = recv(fd, (char *)out + done, n - done, 0);
		if (got <= 0)
			break;		/* closed, or reset for what it has not read */
		done += (size_t)got;
	}
	return done;
}

static void
answer(void)
{
	static char content[65536 + 256];
	unsigned char head[8];
	size_t n;

	for (;;) {
		if (get(head, sizeof head) != sizeof head)
			fail("closed instead of an answer");
		n = (size_t)head[4] << 8 | head[5];
		if (get(content, n + head[6]) != n + head[6])
			fail("closed within an answer");
		if (head[1] == STDOUT)
			fwrite(content, 1, n, stdout);
		if (head[1] == END)
			break;
	}
	printf("\n");
	fflush(stdout);
}

static void
closed(void)
{
	char c;

	if (get(&c, 1) != 0)
		fail("an answer instead of a close");
}

static void
pause_ms(const char *ms)
{
	long n = strtol(ms, NULL, 10);
	struct timespec t = { n / 1000, n % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* The word up to ':', with what follows in *arg. */
static bool
is(const char *step, const char *word, const char **arg)
{
	size_t n = strlen(word);

	if (strncmp(step, word, n) != 0 || (step[n] && step[n] != ':'))
		return false;
	*arg = step[n] ? step + n + 1 : "";
	return true;
}

static void
step(const char *s)
{
	static const char *const waits[] = { "answer", "closed", "quiet", "sleep", "hang-up" };
	const char *arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(waits); i++)
		if (is(s, waits[i], &arg))
			flush();
	if (is(s, "post", &arg))
		whole("POST", "/v1/events", arg);
	else if (is(s, "get", &arg))
		whole("GET", arg, "");
	else if (is(s, "begin", &arg))
		begin(strcmp(arg, "close") != 0);
	else if (is(s, "param", &arg))
		param(arg, strcspn(arg, "="), strchr(arg, '=') ? strchr(arg, '=') + 1 : "");
	else if (is(s, "params-end", &arg))
		record(PARAMS, "", 0);
	else if (is(s, "stdin", &arg))
		record(STDIN, arg, strlen(arg));
	else if (is(s, "stdin-end", &arg))
		record(STDIN, "", 0);
	else if (is(s, "stdin-file", &arg))
		body_file(arg);
	else if (is(s, "abort", &arg))
		record(ABORT, "", 0);
	else if (is(s, "raw", &arg))
		raw(arg);
	else if (is(s, "answer", &arg))
		answer();
	else if (is(s, "closed", &arg))
		closed();
	else if (is(s, "quiet", &arg) && wait_input((int)strtol(arg, NULL, 10)))
		fail("the other side was not quiet");
	else if (is(s, "sleep", &arg))
		pause_ms(arg);
	else if (is(s, "hang-up", &arg))
		close(fd), dial();
	else if (!is(s, "quiet", &arg))
		fail(s);
}

int
main(int argc, char **argv)
{
	int i;

	if (argc < 3) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	buf_init(&kept, (size_t)64 << 20);
	path = argv[1];
	dial();
	for (i = 2; i < argc; i++)
		step(argv[i]);
	flush();
	return 0;
}
