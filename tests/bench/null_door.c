/*
 * The null responder: forebayd with a door behind which nothing is. It reads each
 * request in full and answers as if it were stored; so it shows what nginx,
 * libfcgi and the loop cost without decoding and without a journal.
 */
#include <stdlib.h>

#include "collect/door.h"
#include "collect/reply.h"

struct door { struct stat_slot *stat; };

enum err
door_open(struct door **out, const struct conf *conf UNUSED, struct stat_slot *stat)
{
	*out = calloc(1, sizeof **out);
	if (!*out)
		return ERR_NOMEM;
	(*out)->stat = stat;
	return ERR_OK;
}

void
door_close(struct door **dp)
{
	free(*dp);
	*dp = NULL;
}

void
door_serve(struct door *d UNUSED, const struct request *q, struct reply *reply)
{
	if (q->bad != REFUSE_NONE)
		reply_problem(reply, q->bad, NULL);
	else
		reply_json(reply, q->body.n ? 202 : 200, "{\"accepted\":1,\"rejected\":0,"
		    "\"receipt\":\"00000000-0000-7000-8000-000000000000:1000000-1000000\"}");
}

void
door_stop(struct door *d)
{
	stat_set(d->stat, STAT_collect_ready, 0);
}

bool
door_commit(struct door *d UNUSED)
{
	return true;
}

void
door_answered(struct door *d UNUSED)
{
}

void
door_unavailable(struct reply *r)
{
	reply_problem(r, REFUSE_UNAVAILABLE, NULL);
}

void
door_tick(struct door *d)
{
	stat_set(d->stat, STAT_collect_ready, 1);
}
