#include "collect/reply.h"

#define RETRY_AFTER_S	2

void
reply_init(struct reply *r)
{
	*r = (struct reply){ .status = 0 };
	buf_init(&r->body, REPLY_MAX);
}

void
reply_fini(struct reply *r)
{
	buf_fini(&r->body);
}

void
reply_reset(struct reply *r)
{
	buf_reset(&r->body);
	r->status = 0;
	r->code = REFUSE_NONE;
	r->type = "application/json";
	r->allow = NULL;
	r->retry_after = 0;
	r->durable = false;
}

void
reply_json(struct reply *r, int status, const char *fmt, ...)
{
	va_list ap;

	r->status = status;
	va_start(ap, fmt);
	buf_vprintf(&r->body, fmt, ap);
	va_end(ap);
}

static const char *
title(int status)
{
	switch (status) {
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 413: return "Content Too Large";
	case 415: return "Unsupported Media Type";
	case 503: return "Service Unavailable";
	default:  return "Error";
	}
}

static void
put_errors(struct buf *b, const struct decoded *d)
{
	size_t i, n = d->n_refused < DECODE_ERRORS_MAX ? d->n_refused : DECODE_ERRORS_MAX;
	const struct refusal_info *info;

	buf_puts(b, ",\"errors\":[");
	for (i = 0; i < n; i++) {
		info = &refusals[d->errors[i].code];
		buf_printf(b, "%s{\"index\":%zu,\"code\":\"%s\",\"message\":", i ? "," : "",
		    d->errors[i].index, info->code);
		buf_json(b, slice_str(info->message), 256);
		buf_printf(b, ",\"offset\":%zu}", d->errors[i].offset);
	}
	buf_puts(b, "]");
}

void
reply_problem(struct reply *r, enum refusal code, const struct decoded *d)
{
	const struct refusal_info *info = &refusals[code];
	struct buf *b = &r->body;

	buf_reset(b);
	r->status = info->status;
	r->code = code;
	r->type = "application/problem+json";
	r->retry_after = info->status == 503 || info->status == 429 ? RETRY_AFTER_S : 0;
	r->durable = false;
	buf_printf(b, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":",
	    title(info->status), info->status, info->code);
	buf_json(b, slice_str(info->message), 256);
	buf_puts(b, ",\"message\":");
	buf_json(b, slice_str(info->message), 256);
	if (d && d->n_refused > 0) {
		buf_printf(b, ",\"accepted\":0,\"rejected\":%zu", d->n_refused);
		put_errors(b, d);
	} else if (d) {
		buf_printf(b, ",\"offset\":%zu", d->whole_offset);
	}
	buf_puts(b, "}");
}

void
reply_accepted(struct reply *r, struct uuid segment, const struct decoded *d)
{
	char text[UUID_TEXT];

	reply_json(r, 202, "{\"accepted\":%zu,\"rejected\":%zu,\"receipt\":\"%s:%lld-%lld\"",
	    d->n_rows, d->n_refused, uuid_text(segment, text), (long long)d->rows[0].seq,
	    (long long)d->rows[d->n_rows - 1].seq);
	if (d->n_refused > 0)
		put_errors(&r->body, d);
	buf_puts(&r->body, "}");
	r->durable = true;
}
