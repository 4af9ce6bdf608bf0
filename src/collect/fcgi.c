#include "collect/fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/record.h"
#include "collect/reply.h"

#define CHUNK	8192		/* libfcgi's own buffer */
#define HEAP_KEPT	(8 * 1024 * 1024)
#define HEAP_STEP	(1024 * 1024)

struct fcgi {
	FCGX_Request r;
	bool in_request;
	bool large;		/* the request was longer than what fcgi_look() sees */
	bool close_after;	/* the connection cannot be trusted for another request */
};

enum err
fcgi_init(void)
{
	if (FCGX_Init() != 0)
		return ERR_NOMEM;
	signal(SIGPIPE, SIG_IGN);	/* FCGX_Init() has set handlers of its own */
	/* libfcgi has three buffers of 8 KiB a request: what one turn frees the next one
	 * needs again, and giving it back to the kernel costs a page fault for each page */
	mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
	mallopt(M_TOP_PAD, HEAP_STEP);
	return ERR_OK;
}

struct fcgi *
fcgi_open(int fd)
{
	/* libfcgi has no time-outs: the socket bounds each of its reads and writes */
	const struct timeval one_read = { .tv_sec = 1 }, one_write = { .tv_sec = 5 };
	struct fcgi *f = calloc(1, sizeof *f);

	if (!f || FCGX_InitRequest(&f->r, -1, 0) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &one_read, sizeof one_read) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &one_write, sizeof one_write) != 0) {
		free(f);
		close(fd);
		return NULL;
	}
	f->r.ipcFd = fd;
	return f;
}

void
fcgi_close(struct fcgi **fp)
{
	struct fcgi *f = *fp;

	if (!f)
		return;
	FCGX_Detach(&f->r);		/* or the library's close waits for the peer */
	if (f->in_request)
		FCGX_Free(&f->r, 1);
	else if (f->r.ipcFd >= 0)
		close(f->r.ipcFd);
	free(f);
	*fp = NULL;
}

enum fcgi_ready
fcgi_look(struct fcgi *f)
{
	static uint8_t window[RECORD_WINDOW];
	ssize_t n = recv(f->r.ipcFd, window, sizeof window, MSG_PEEK | MSG_DONTWAIT);

	if (n == 0)
		return FCGI_GONE;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? FCGI_NOTHING : FCGI_GONE;
	f->large = false;
	switch (record_scan(window, (size_t)n)) {
	case RECORD_WHOLE:
		return FCGI_WHOLE;
	case RECORD_PARTIAL:
		return FCGI_PARTIAL;
	case RECORD_LARGE:
		f->large = true;
		return FCGI_LARGE;
	case RECORD_BAD:
		break;
	}
	return FCGI_BROKEN;
}

static void
read_params(char **envp, struct request *q)
{
	/* in the order of conf/nginx/fastcgi.conf, so that most are found at once */
	const struct { struct slice name; struct slice *to; } wanted[] = {
		{ SLICE("REQUEST_METHOD="), &q->method }, { SLICE("REQUEST_URI="), &q->path },
		{ SLICE("CONTENT_TYPE="), &q->content_type },
		{ SLICE("CONTENT_LENGTH="), &q->content_length }, { SLICE("REMOTE_ADDR="), &q->client_ip },
		{ SLICE("REQUEST_ID="), &q->request_id }, { SLICE("HTTP_USER_AGENT="), &q->user_agent },
		{ SLICE("HTTP_TRACEPARENT="), &q->traceparent },
		{ SLICE("HTTP_CONTENT_ENCODING="), &q->content_encoding },
		{ SLICE("HTTP_AUTHORIZATION="), &q->authorization },
		{ SLICE("HTTP_X_API_KEY="), &q->x_api_key },
		{ SLICE("HTTP_IDEMPOTENCY_KEY="), &q->idempotency_key },
		{ SLICE("HTTP_ORIGIN="), &q->origin },
		{ SLICE("HTTP_CE_SPECVERSION="), &q->cloudevent }, { SLICE("HTTP_CE_ID="), &q->cloudevent },
		{ SLICE("FOREBAY_LISTENER="), &q->listener },
	};
	size_t i, at = 0;

	for (; *envp; envp++)
		for (i = 0; i < ARRAY_SIZE(wanted); i++, at = (at + 1) % ARRAY_SIZE(wanted))
			if (strncmp(*envp, wanted[at].name.p, wanted[at].name.n) == 0) {
				*wanted[at].to = slice_str(*envp + wanted[at].name.n);
				break;
			}
}

/* REQUEST_URI is what the client sent: the path up to '?', then the query. */
static void
split_uri(struct request *q)
{
	const char *mark = q->path.n ? memchr(q->path.p, '?', q->path.n) : NULL;

	if (!mark)
		return;
	q->query = slice_str(mark + 1);
	q->path.n = (size_t)(mark - q->path.p);
}

/* Digits only; an absent or empty length is 0. */
static bool
parse_length(struct slice s, size_t *out)
{
	size_t i;

	*out = 0;
	if (s.n > 15)
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*out = *out * 10 + (size_t)(s.p[i] - '0');
	}
	return true;
}

/* Up to n bytes into p (NULL: nowhere), in steps, so that the deadline holds.
 * Returns how many came before the end of STDIN. */
static size_t
read_stdin(struct fcgi *f, char *p, size_t n, int64_t deadline)
{
	char nowhere[CHUNK];
	size_t got = 0, step;
	int k;

	while (got < n) {
		step = n - got < CHUNK ? n - got : CHUNK;
		k = FCGX_GetStr(p ? p + got : nowhere, (int)step, f->r.in);
		if (k > 0)
			got += (size_t)k;
		if (k < (int)step || (n > CHUNK && clock_mono_ms() > deadline))
			break;
	}
	return got;
}

/* Why a body of this announced length cannot be taken, or REFUSE_NONE. */
static enum refusal
make_room(struct slice announced, struct buf *body, size_t *length)
{
	buf_reset(body);
	if (!parse_length(announced, length))
		return REFUSE_BAD_REQUEST;
	if (*length > body->max)
		return REFUSE_BODY_TOO_LARGE;
	if (*length > 0 && !buf_room(body, *length))
		return REFUSE_UNAVAILABLE;
	return REFUSE_NONE;
}

static bool
more_waits(const struct fcgi *f)
{
	char c;

	return recv(f->r.ipcFd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Reads STDIN to its end whatever comes (INV-2). Bytes left over on a connection that is
 * kept alive would be read as the next request. */
static enum err
read_body(struct fcgi *f, struct buf *body, int64_t deadline, struct request *q)
{
	size_t length, rest;

	q->bad = make_room(q->content_length, body, &length);
	if (q->bad == REFUSE_NONE && length > 0)
		body->n = read_stdin(f, body->p, length, deadline);
	rest = read_stdin(f, NULL, SIZE_MAX, deadline);
	if (FCGX_GetError(f->r.in) != 0 || !FCGX_HasSeenEOF(f->r.in))
		return ERR_DOWN;
	if (q->bad == REFUSE_NONE && body->n + rest != length)
		q->bad = REFUSE_BAD_REQUEST;
	if (q->bad == REFUSE_BAD_REQUEST || (f->large && more_waits(f)))
		f->close_after = true;
	q->body = buf_slice(body);
	return ERR_OK;
}

enum err
fcgi_read(struct fcgi *f, struct buf *body, int64_t deadline, struct request *q)
{
	*q = (struct request){ .bad = REFUSE_NONE };
	f->r.keepConnection = 1;
	FCGX_Detach(&f->r);
	if (FCGX_Accept_r(&f->r) != 0) {
		f->in_request = f->r.ipcFd >= 0;
		return ERR_DOWN;
	}
	f->in_request = true;
	f->close_after = !f->r.keepConnection;
	read_params(f->r.envp, q);
	split_uri(q);
	return read_body(f, body, deadline, q);
}

static void
put_number(size_t v, FCGX_Stream *out)
{
	char text[24], *p = text + sizeof text;

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	FCGX_PutStr(p, (int)(text + sizeof text - p), out);
}

static void
put_field(const char *name, const char *value, FCGX_Stream *out)
{
	FCGX_PutS(name, out);
	FCGX_PutS(value, out);
	FCGX_PutS("\r\n", out);
}

/* Put together without printf: this is done for every request. */
static void
put_head(const struct reply *r, FCGX_Stream *out)
{
	FCGX_PutS("Status: ", out);
	put_number((size_t)r->status, out);
	put_field(" ", reply_title(r->status), out);
	put_field("Content-Type: ", r->type, out);
	FCGX_PutS("Content-Length: ", out);
	put_number(r->body.n, out);
	FCGX_PutS("\r\n", out);
	if (r->no_store)
		FCGX_PutS("Cache-Control: no-store\r\n", out);
	if (r->code == REFUSE_ENCODING)
		FCGX_PutS("Accept-Encoding: gzip\r\n", out);
	if (r->allow)
		put_field("Allow: ", r->allow, out);
	if (r->status == 401)
		FCGX_PutS("WWW-Authenticate: Bearer\r\n", out);
	if (r->retry_after > 0) {
		FCGX_PutS("Retry-After: ", out);
		put_number((size_t)r->retry_after, out);
		FCGX_PutS("\r\n", out);
	}
	FCGX_PutS("\r\n", out);
}

bool
fcgi_answer(struct fcgi *f, const struct reply *r)
{
	put_head(r, f->r.out);
	FCGX_PutStr(r->body.p, (int)r->body.n, f->r.out);
	f->r.keepConnection = !f->close_after;	/* to close it is nginx's part (INV-3) */
	f->in_request = false;
	FCGX_Finish_r(&f->r);		/* closes the connection when a write failed */
	return f->r.ipcFd >= 0;
}
