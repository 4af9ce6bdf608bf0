/*
 * FastCGI connections from nginx, on libfcgi but under a loop of ours: the caller
 * owns accept and readiness, libfcgi reads requests and writes answers on
 * connections that are ready. Decision 0001 says why and names the way out. This
 * is the only file that knows libfcgi.
 *
 * One thread; call fcgi_init() after fork. The socket must be reachable by nginx
 * only (its mode, and listen_peer_allowed()).
 */
#ifndef COLLECT_FCGI_H
#define COLLECT_FCGI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "event/refusal.h"

/* One request. Slices live until fcgi_answer() or the next fcgi_read() into the
 * same body buffer. Parameters that nginx did not send are absent. */
struct request {
	struct slice method, path, query;
	struct slice content_type, content_length, content_encoding;
	struct slice client_ip, user_agent, request_id, traceparent;
	struct slice authorization, x_api_key, origin, idempotency_key;
	struct slice cloudevent;	/* ce-specversion or ce-id: CloudEvents in binary mode */
	struct slice listener;	/* which of nginx's servers passed it on; absent: the public one */
	struct slice body;
	enum refusal bad;	/* REFUSE_NONE, or why the body is not usable */
};

/* An answer; body is JSON unless type says otherwise. */
struct reply {
	int status;
	enum refusal code;	/* REFUSE_NONE, or why not */
	const char *type;	/* content type, static storage */
	const char *allow;	/* Allow header for 405, or NULL */
	int retry_after;	/* seconds, 0: none */
	bool no_store;		/* Cache-Control: no-store */
	bool durable;		/* rests on the turn's commit */
	size_t weight;		/* bytes that the turn has to keep for it, about */
	struct buf body;	/* owned by the reply */
};

#define REPLY_MAX	(64 * 1024)

struct fcgi;			/* one connection */

enum err fcgi_init(void) MUST_CHECK;

/* Takes over fd, a connected socket. NULL: out of memory, fd is closed. */
struct fcgi *fcgi_open(int fd);
void fcgi_close(struct fcgi **);	/* closes the connection, in mid-request too */

/* What waits in the socket; see collect/record.h. GONE: the peer has closed.
 * BROKEN: it sends what is no request. */
enum fcgi_ready { FCGI_NOTHING, FCGI_WHOLE, FCGI_PARTIAL, FCGI_LARGE, FCGI_GONE, FCGI_BROKEN };
enum fcgi_ready fcgi_look(struct fcgi *);

/*
 * Reads one request after fcgi_look() said WHOLE (does not block) or LARGE (blocks,
 * until deadline in clock_mono_ms() at the latest). STDIN is drained on every path.
 * ERR_OK: a request, perhaps with `bad` set; answer it. Anything else: the
 * connection is of no more use; fcgi_close() it without an answer.
 */
enum err fcgi_read(struct fcgi *, struct buf *body, int64_t deadline, struct request *) MUST_CHECK;

/* Sends the answer and ends the request. false: nginx did not take it, or the
 * connection has to go; fcgi_close() it. */
bool fcgi_answer(struct fcgi *, const struct reply *);

#endif
