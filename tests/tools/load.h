/*
 * The parts of the load generator: load_body.c makes requests, load_conn.c
 * carries them over HTTP/1.1, load.c decides when, and keeps the books.
 */
#ifndef TESTS_LOAD_H
#define TESTS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/buf.h"

enum load_form { FORM_OBJECT, FORM_ARRAY, FORM_NDJSON };

/* How requests look. The same numbers give the same bytes, so a request that is
 * sent again need not be kept. */
struct load_shape {
	enum load_form form;
	bool gzip;
	uint32_t seed;
	size_t event_bytes;		/* about; 345 is the smallest */
	const char *host, *path;
};

/* Appends a whole HTTP request that brings the n events first, first + 1 ...;
 * an event's id is "<seed, 8 hex digits>-<number, 12 digits>". */
void load_request(struct buf *out, const struct load_shape *, uint64_t first, unsigned n);

enum conn_state {
	CONN_CLOSED,			/* opens again at wake_us */
	CONN_CONNECTING,
	CONN_HANDSHAKE,
	CONN_OPEN,			/* sends what is in out, then reads an answer */
};

struct conn {
	enum conn_state state;
	int fd;
	SSL *ssl;
	int64_t wake_us;
	bool want_write;		/* as registered with epoll */
	bool half_close, half_closed;	/* shall end, has ended its sending side */
	bool used;			/* it has brought an answer */
	struct buf out;
	size_t sent;
	/* the answer */
	char in[8192];
	size_t in_n;
	uint64_t body_left;
	bool head_done, chunked, last;	/* last: the server closes after it */
	int status;			/* 0: none yet */
	uint64_t accepted;
	char receipt[96];
	/* the request; n == 0: none */
	uint64_t first;
	unsigned n;
	bool in_flight;			/* its intent is written and it may be on the wire */
	unsigned tries;
	int64_t due_us, sent_us;
};

struct target {
	const char *unix_path;		/* instead of TCP */
	const char *ip;
	uint16_t port;
	SSL_CTX *tls;			/* NULL: plain */
	char *host;
	bool half_close;		/* end the sending side behind each request */
};

enum conn_event {
	CONN_NOTHING,
	CONN_READY,			/* the connection can take a request */
	CONN_ANSWER,			/* status, accepted and receipt are set */
	CONN_LOST,
};

/* Begins to connect. */
enum conn_event conn_open(struct conn *, const struct target *, int epfd);
/* Closes; the request, if any, stays. */
void conn_close(struct conn *);
/* Sends what is in out as far as the socket takes it. */
enum conn_event conn_send(struct conn *, int epfd);
/* Goes on after epoll reported the connection. */
enum conn_event conn_step(struct conn *, int epfd);

#endif
