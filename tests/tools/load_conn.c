#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "tools/load.h"

static void
watch(struct conn *c, int epfd, int op, bool want_write)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (op == EPOLL_CTL_MOD && c->want_write == want_write)
		return;
	if (want_write)
		ev.events |= EPOLLOUT;
	c->want_write = want_write;
	CHECK(epoll_ctl(epfd, op, c->fd, &ev) == 0);
}

static int
dial(const struct target *t)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(t->port) };
	int fd, one = 1, rc;

	fd = socket(t->unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (t->unix_path) {
		snprintf(un.sun_path, sizeof un.sun_path, "%s", t->unix_path);
		rc = connect(fd, (struct sockaddr *)&un, sizeof un);
	} else {
		inet_pton(AF_INET, t->ip, &in.sin_addr);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		rc = connect(fd, (struct sockaddr *)&in, sizeof in);
	}
	if (rc == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

enum conn_event
conn_open(struct conn *c, const struct target *t, int epfd)
{
	c->fd = dial(t);
	if (c->fd < 0)
		return CONN_LOST;
	if (t->tls) {
		c->ssl = SSL_new(t->tls);
		CHECK(c->ssl && SSL_set_fd(c->ssl, c->fd) == 1);
		SSL_set_connect_state(c->ssl);
		SSL_set_tlsext_host_name(c->ssl, t->host);
		CHECK(SSL_set1_host(c->ssl, t->host) == 1);
	}
	c->half_close = t->half_close;
	c->state = CONN_CONNECTING;
	watch(c, epfd, EPOLL_CTL_ADD, true);
	return CONN_NOTHING;
}

void
conn_close(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	c->state = CONN_CLOSED;
	c->head_done = c->chunked = c->last = c->half_closed = false;
	c->in_n = 0;
}

/* What to wait for after a TLS call that did not go through; false: it failed. */
static bool
tls_waits(struct conn *c, int epfd, int rc)
{
	int why = SSL_get_error(c->ssl, rc);

	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		return false;
	watch(c, epfd, EPOLL_CTL_MOD, why == SSL_ERROR_WANT_WRITE);
	return true;
}

/* Nothing more comes from here; what comes from there is still read. */
static void
end_sending(struct conn *c)
{
	if (c->half_closed)
		return;
	c->half_closed = true;
	if (c->ssl)
		SSL_shutdown(c->ssl);
	shutdown(c->fd, SHUT_WR);
}

enum conn_event
conn_send(struct conn *c, int epfd)
{
	ssize_t n;

	while (c->sent < c->out.n) {
		if (c->ssl) {
			n = SSL_write(c->ssl, c->out.p + c->sent, (int)(c->out.n - c->sent));
			if (n <= 0)
				return tls_waits(c, epfd, (int)n) ? CONN_NOTHING : CONN_LOST;
		} else {
			n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
			if (n < 0 && errno != EAGAIN)
				return CONN_LOST;
			if (n < 0) {
				watch(c, epfd, EPOLL_CTL_MOD, true);
				return CONN_NOTHING;
			}
		}
		c->sent += (size_t)n;
	}
	watch(c, epfd, EPOLL_CTL_MOD, false);
	if (c->half_close)
		end_sending(c);
	return CONN_NOTHING;
}

/* The value of a header in the NUL-terminated head, or NULL. */
static const char *
header(const char *head, const char *name)
{
	const char *line;
	size_t n = strlen(name);

	for (line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, n) == 0 && line[n] == ':')
			return line + n + 1 + strspn(line + n + 1, " ");
	}
	return NULL;
}

/* Takes the head off c->in once it is whole. */
static bool
parse_head(struct conn *c)
{
	char *end, *p = c->in;
	const char *v;
	size_t n;

	c->in[c->in_n] = '\0';
	end = strstr(p, "\r\n\r\n");
	if (!end)
		return c->in_n < sizeof c->in - 1;
	if (strncmp(p, "HTTP/1.1 ", 9) != 0)
		return false;
	end[2] = '\0';
	c->status = (int)strtol(p + 9, NULL, 10);
	v = header(p, "Content-Length");
	c->body_left = v ? strtoull(v, NULL, 10) : 0;
	v = header(p, "Transfer-Encoding");
	c->chunked = v && strncasecmp(v, "chunked", 7) == 0;
	v = header(p, "Connection");
	c->last = v && strncasecmp(v, "close", 5) == 0;
	c->head_done = true;
	n = (size_t)(end + 4 - p);
	c->in_n -= n;
	memmove(c->in, c->in + n, c->in_n);
	return c->status >= 100 && c->status < 600;
}

static void
parse_body(struct conn *c)
{
	const char *p;
	size_t n;

	c->in[c->in_n] = '\0';
	p = strstr(c->in, "\"accepted\":");
	c->accepted = p ? strtoull(p + 11, NULL, 10) : 0;
	p = strstr(c->in, "\"receipt\":\"");
	n = p ? strcspn(p + 11, "\"") : 0;
	if (n > 0 && n < sizeof c->receipt) {
		memcpy(c->receipt, p + 11, n);
		c->receipt[n] = '\0';
	}
}

static enum conn_event
answered(struct conn *c)
{
	parse_body(c);
	c->in_n = 0;
	c->head_done = c->chunked = false;
	c->last = c->last || c->half_closed;
	return CONN_ANSWER;
}

/* Is the answer whole? Of a long body only the beginning is kept. */
static enum conn_event
parse(struct conn *c)
{
	size_t keep = sizeof c->in / 2;

	if (!c->head_done && !parse_head(c))
		return CONN_LOST;
	if (!c->head_done)
		return CONN_NOTHING;
	if (c->chunked) {
		if (c->in_n >= 5 && memcmp(c->in + c->in_n - 5, "0\r\n\r\n", 5) == 0)
			return answered(c);
		if (c->in_n > keep + 5) {
			memmove(c->in + keep, c->in + c->in_n - 5, 5);
			c->in_n = keep + 5;
		}
		return CONN_NOTHING;
	}
	if (c->in_n >= c->body_left)
		return answered(c);
	if (c->in_n > keep) {
		c->body_left -= c->in_n - keep;
		c->in_n = keep;
	}
	return CONN_NOTHING;
}

static enum conn_event
receive(struct conn *c, int epfd)
{
	size_t room = sizeof c->in - 1 - c->in_n;
	enum conn_event ev;
	ssize_t n;

	do {
		if (c->ssl) {
			n = SSL_read(c->ssl, c->in + c->in_n, (int)room);
			if (n <= 0)
				return tls_waits(c, epfd, (int)n) ? CONN_NOTHING : CONN_LOST;
		} else {
			n = recv(c->fd, c->in + c->in_n, room, 0);
			if (n < 0 && errno == EAGAIN)
				return CONN_NOTHING;
			if (n <= 0)
				return CONN_LOST;
		}
		if (c->n == 0)
			return CONN_LOST;	/* bytes that nobody asked for */
		c->in_n += (size_t)n;
		ev = parse(c);
		room = sizeof c->in - 1 - c->in_n;
	} while (ev == CONN_NOTHING);
	return ev;
}

enum conn_event
conn_step(struct conn *c, int epfd)
{
	int error = 0, rc;
	socklen_t n = sizeof error;

	if (c->state == CONN_CONNECTING) {
		if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error != 0)
			return CONN_LOST;
		c->state = c->ssl ? CONN_HANDSHAKE : CONN_OPEN;
		watch(c, epfd, EPOLL_CTL_MOD, false);
		if (!c->ssl)
			return CONN_READY;
	}
	if (c->state == CONN_HANDSHAKE) {
		rc = SSL_do_handshake(c->ssl);
		if (rc != 1)
			return tls_waits(c, epfd, rc) ? CONN_NOTHING : CONN_LOST;
		c->state = CONN_OPEN;
		watch(c, epfd, EPOLL_CTL_MOD, false);
		return CONN_READY;
	}
	if (c->sent < c->out.n && conn_send(c, epfd) == CONN_LOST)
		return CONN_LOST;
	return receive(c, epfd);
}
