#include "collect/reply.h"

#include "event/pointer.h"

#define RETRY_AFTER_S	2
#define ERRORS_SHOWN	20
#define LIST_END	(REPLY_MAX - 4096)	/* room for the longest entry and the end */

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
	r->no_store = false;
	r->durable = false;
	r->weight = 0;
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

const char *
reply_title(int status)
{
	static const struct { int status; const char *text; } titles[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" }, { 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" }, { 503, "Service Unavailable" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(titles); i++)
		if (titles[i].status == status)
			return titles[i].text;
	return "Error";
}

static void
put_error(struct buf *b, const struct refused *r, bool first)
{
	const struct refusal_info *info = &refusals[r->code];

	buf_printf(b, "%s{\"index\":%zu,\"code\":\"%s\",\"message\":", first ? "" : ",",
	    r->index, info->code);
	buf_json(b, slice_str(info->message), 256);
	buf_printf(b, ",\"offset\":%zu", r->offset);
}

static size_t
described(const struct decoded *d)
{
	return d->n_refused < DECODE_ERRORS_MAX ? d->n_refused : DECODE_ERRORS_MAX;
}

static void
put_errors(struct buf *b, const struct decoded *d)
{
	size_t i, n = described(d);

	buf_puts(b, ",\"errors\":[");
	for (i = 0; i < n && i < ERRORS_SHOWN; i++) {
		put_error(b, &d->errors[i], i == 0);
		buf_puts(b, "}");
	}
	buf_puts(b, "]");
}

static void
put_head(struct reply *r, enum refusal code)
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
	    reply_title(info->status), info->status, info->code);
	buf_json(b, slice_str(info->message), 256);
	buf_puts(b, ",\"message\":");
	buf_json(b, slice_str(info->message), 256);
}

void
reply_problem(struct reply *r, enum refusal code, const struct decoded *d)
{
	put_head(r, code);
	if (d && d->n_refused > 0) {
		buf_printf(&r->body, ",\"accepted\":0,\"rejected\":%zu", d->n_refused);
		put_errors(&r->body, d);
	} else if (d) {
		buf_printf(&r->body, ",\"offset\":%zu", d->whole_offset);
	}
	buf_puts(&r->body, "}");
}

/* 2xx up to the receipt */
static void
put_receipt(struct reply *r, int status, struct uuid segment, const struct decoded *d)
{
	char text[UUID_TEXT];

	reply_json(r, status, "{\"accepted\":%zu,\"rejected\":%zu,\"receipt\":\"%s:%lld-%lld\"",
	    d->n_rows, d->n_refused, uuid_text(segment, text), (long long)d->rows[0].seq,
	    (long long)d->rows[d->n_rows - 1].seq);
	r->durable = true;
}

void
reply_accepted(struct reply *r, struct uuid segment, const struct decoded *d)
{
	put_receipt(r, 202, segment, d);
	if (d->n_refused > 0)
		put_errors(&r->body, d);
	buf_puts(&r->body, "}");
}

void
reply_created(struct reply *r, struct uuid segment, const struct decoded *d)
{
	size_t i;

	put_receipt(r, 201, segment, d);
	buf_puts(&r->body, ",\"ids\":[");
	for (i = 0; i < d->n_rows && r->body.n < LIST_END; i++) {
		buf_puts(&r->body, i ? "," : "");
		buf_json(&r->body, d->rows[i].id, SIZE_MAX);
	}
	buf_puts(&r->body, "]");
	if (i < d->n_rows)
		buf_printf(&r->body, ",\"ids_left_out\":%zu", d->n_rows - i);
	buf_puts(&r->body, "}");
}

void
reply_refused(struct reply *r, const struct decoded *d, struct slice body)
{
	size_t i, n = described(d);
	const struct refused *e;
	struct buf pointer;

	put_head(r, REFUSE_EVENTS_REFUSED);
	buf_printf(&r->body, ",\"accepted\":0,\"rejected\":%zu,\"errors\":[", d->n_refused);
	for (i = 0; i < n && r->body.n < LIST_END; i++) {
		e = &d->errors[i];
		put_error(&r->body, e, i == 0);
		buf_init(&pointer, 1024);
		pointer_to(&pointer, e->raw, e->offset - (size_t)(e->raw.p - body.p));
		buf_puts(&r->body, ",\"pointer\":");
		buf_json(&r->body, buf_slice(&pointer), 512);
		buf_puts(&r->body, "}");
		buf_fini(&pointer);
	}
	buf_puts(&r->body, "]");
	if (i < d->n_refused)
		buf_printf(&r->body, ",\"errors_left_out\":%zu", d->n_refused - i);
	buf_puts(&r->body, "}");
}
