#include "cli/where.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "journal/query.h"

#define BATCH		1000		/* fingerprints in one question */
#define LIMIT_MS	60000		/* for each question to PostgreSQL */

const char *const where_states[] = {
	"unknown", "missing", "journaled", "settled", "loaded", "duplicate", "quarantined", "rejected",
};

static void
set_text(char *out, size_t n, const char *text)
{
	snprintf(out, n, "%s", text ? text : "");
}

static enum state
state_of(const char *name)
{
	size_t i;

	for (i = 0; name && i < ARRAY_SIZE(where_states); i++)
		if (strcmp(name, where_states[i]) == 0)
			return (enum state)i;
	return UNKNOWN;
}

static struct item *
item_of(struct search *s, struct uuid segment, int64_t seq)
{
	struct item *i;

	if (s->by_receipt)		/* made in the order of seq */
		return seq >= s->items[0].seq && seq < s->items[0].seq + (int64_t)s->n ?
		    &s->items[seq - s->items[0].seq] : NULL;
	for (i = s->items; i < s->items + s->n; i++)
		if (i->seq == seq && memcmp(&i->segment, &segment, sizeof segment) == 0)
			return i;
	if (s->n == s->room)
		return NULL;
	*i = (struct item){ .segment = segment, .seq = seq };
	s->n++;
	return i;
}

/* --- the journal --------------------------------------------------------------- */

static void
text_of(char *out, size_t n, struct slice s)
{
	snprintf(out, n, "%.*s", (int)s.n, s.p ? s.p : "");
}

/* segment, seq, received_at, fingerprint, reason */
static bool
take_journal(void *arg, const struct query_value *v, size_t n UNUSED)
{
	struct search *s = arg;
	struct item *i;
	struct uuid segment;

	if (!uuid_parse(v[0].text.p, v[0].text.n, &segment))
		return true;
	i = item_of(s, segment, strtoll(v[1].text.p, NULL, 10));
	if (!i)
		return s->by_receipt;
	i->journal = true;
	i->state = v[4].text.p ? REJECTED : JOURNALED;
	text_of(i->received_at, sizeof i->received_at, v[2].text);
	text_of(i->fingerprint, sizeof i->fingerprint, v[3].text);
	text_of(i->detail, sizeof i->detail, v[4].text);
	return true;
}

enum err
where_ask_journal(struct search *s, char errmsg[256])
{
	static const char receipt[] =
	    "SELECT segment, seq, received_at, fingerprint, NULL FROM event(?1) UNION ALL"
	    " SELECT segment, seq, received_at, NULL, reason FROM rejection(?1)";
	static const char id[] =
	    "SELECT segment, seq, received_at, fingerprint, NULL FROM event WHERE id = ?1 UNION ALL"
	    " SELECT segment, seq, received_at, NULL, reason FROM rejection WHERE id = ?1";
	struct slice what = slice_str(s->what);

	return query_run(s->conf->journal_dir, s->by_receipt ? receipt : id, &what, 1, take_journal, s,
	    errmsg);
}

/* --- PostgreSQL ------------------------------------------------------------------ */

static bool
take_id(void *arg, const char *const *v)
{
	struct search *s = arg;
	struct uuid segment;
	struct item *i;

	if (!uuid_parse(v[1], strlen(v[1]), &segment) || !(i = item_of(s, segment, strtoll(v[2], NULL, 10))))
		return false;
	i->state = state_of(v[0]);
	set_text(i->state == QUARANTINED ? i->since : i->received_at, CLOCK_TEXT, v[3]);
	snprintf(i->detail, sizeof i->detail, "%s%s%.150s", v[4] ? v[4] : "", v[5] ? ": " : "", v[5] ? v[5] : "");
	return true;
}

static bool
take_own(void *arg, const char *const *v)
{
	return take_id(arg, (const char *const[]){ "loaded", v[1], v[2], v[3], NULL, NULL });
}

/* An id that the server made is its event's fingerprint and tells its day; any other
 * may stand anywhere. */
static enum err
ask_id(struct search *s)
{
	char day[CLOCK_TEXT], list[64];
	const char *own[LOOKUP_PARAMS] = { list, day, day };
	const char *any[LOOKUP_PARAMS] = { s->what, "-infinity", "infinity" };
	struct uuid u;
	enum err e = ERR_OK;

	if (uuid_parse(s->what, strlen(s->what), &u) && uuid_time(u) > 0) {
		snprintf(list, sizeof list, "{%.36s}", s->what);
		clock_text(uuid_time(u), day);
		e = lookup_ask(s->lookup, LOOKUP_FINGERPRINTS, own, take_own, s);
	}
	return e == ERR_OK && s->n == 0 ? lookup_ask(s->lookup, LOOKUP_ID, any, take_id, s) : e;
}

static bool
take_progress(void *arg, const char *const *v)
{
	struct progress *p = arg;

	p->known = true;
	p->last_seq = strtoll(v[1], NULL, 10);
	p->duplicates = strtoll(v[3], NULL, 10);
	set_text(p->updated_at, sizeof p->updated_at, v[6]);
	return true;
}

static bool
take_refused(void *arg, const char *const *v)
{
	struct search *s = arg;
	struct item *i = item_of(s, s->from->segment, strtoll(v[1], NULL, 10));

	if (!i)
		return true;
	i->state = state_of(v[0]);
	set_text(i->since, sizeof i->since, v[2]);
	snprintf(i->detail, sizeof i->detail, "%s%s%.150s", v[3] ? v[3] : "", v[4] ? ": " : "", v[4] ? v[4] : "");
	return true;
}

static bool
take_fingerprint(void *arg, const char *const *v)
{
	struct search *s = arg;
	char text[UUID_TEXT];
	struct item *i;
	bool same;

	for (i = s->from; i < s->to; i++) {
		if (strcmp(i->fingerprint, v[0]) != 0 || i->state == LOADED)
			continue;
		same = strcmp(uuid_text(i->segment, text), v[1]) == 0 && i->seq == strtoll(v[2], NULL, 10);
		i->state = same ? LOADED : DUPLICATE;
		i->detail[0] = '\0';
		if (!same)
			snprintf(i->detail, sizeof i->detail, "of %s:%s, received %s", v[1], v[2], v[3]);
	}
	return true;
}

static bool
take_seq(void *arg, const char *const *v)
{
	struct search *s = arg;
	struct item *i = item_of(s, s->from->segment, strtoll(v[0], NULL, 10));

	if (i) {
		i->state = LOADED;
		set_text(i->received_at, sizeof i->received_at, v[1]);
	}
	return true;
}

/* Rows of which the journal still knows the fingerprint. */
static enum err
ask_fingerprints(struct search *s)
{
	const char *params[LOOKUP_PARAMS] = { NULL };
	struct item *i = s->from, *first, *last;
	struct buf list;
	enum err e = ERR_OK;
	int n;

	buf_init(&list, BATCH * (UUID_TEXT + 1));
	while (e == ERR_OK && i < s->to) {
		buf_reset(&list);
		for (n = 0, first = last = NULL; i < s->to && n < BATCH; i++) {
			if (i->state != SETTLED || !i->fingerprint[0])
				continue;
			buf_printf(&list, "%c%s", n++ ? ',' : '{', i->fingerprint);
			first = first && strcmp(first->received_at, i->received_at) <= 0 ? first : i;
			last = last && strcmp(last->received_at, i->received_at) >= 0 ? last : i;
		}
		buf_put(&list, "}", 2);
		if (n == 0)
			break;
		params[0] = list.p;
		params[1] = first->received_at;
		params[2] = last->received_at;
		e = list.failed ? ERR_NOMEM : lookup_ask(s->lookup, LOOKUP_FINGERPRINTS, params, take_fingerprint, s);
	}
	buf_fini(&list);
	return e;
}

static bool
take_differs(void *arg, const char *const *v UNUSED)
{
	struct item *i = arg;
	size_t n = strlen(i->detail);

	snprintf(i->detail + n, sizeof i->detail - n, ", which says something else");
	return true;
}

static int
seq_and_item(const void *seq, const void *item)
{
	int64_t a = *(const int64_t *)seq, b = ((const struct item *)item)->seq;

	return (a > b) - (a < b);
}

/* seq, payload of one segment's rows; only items that are there already */
static bool
take_payload(void *arg, const struct query_value *v, size_t n UNUSED)
{
	struct search *s = arg;
	int64_t seq = strtoll(v[0].text.p, NULL, 10);
	struct item *i = bsearch(&seq, s->from, (size_t)(s->to - s->from), sizeof *i, seq_and_item);
	char *payload;
	enum err e;

	if (!i || i->state != DUPLICATE || !v[1].text.p)
		return true;
	payload = strndup(v[1].text.p, v[1].text.n);
	if (!payload)
		return false;
	e = lookup_ask(s->lookup, LOOKUP_DIFFERS, (const char *const[]){ i->fingerprint, payload,
	    i->received_at, i->received_at }, take_differs, i);
	if (e != ERR_OK)
		set_text(s->trouble, sizeof s->trouble, lookup_errmsg(s->lookup));
	free(payload);
	return e == ERR_OK;
}

/* Duplicates of which the journal still has the payload: is it that of what stands? */
static void
ask_differing(struct search *s)
{
	char receipt[UUID_TEXT + 48], segment[UUID_TEXT], errmsg[256];
	struct slice what;
	struct item *i;

	for (i = s->from; i < s->to && !(i->journal && i->state == DUPLICATE); i++)
		;
	if (i == s->to)
		return;
	snprintf(receipt, sizeof receipt, "%s:%" PRId64 "-%" PRId64, uuid_text(s->from->segment, segment),
	    s->from->seq, s->to[-1].seq);
	what = slice_str(receipt);
	if (query_run(s->conf->journal_dir, "SELECT seq, payload FROM event(?1)", &what, 1, take_payload, s,
	    errmsg) != ERR_OK && !s->trouble[0])
		set_text(s->trouble, sizeof s->trouble, errmsg);
}

/* Rows that the journal no longer holds: their segment's in the days it lived. */
static enum err
ask_seqs(struct search *s)
{
	char segment[UUID_TEXT], first[24], last[24], born[CLOCK_TEXT];
	const char *params[LOOKUP_PARAMS] = { uuid_text(s->from->segment, segment), first, last,
		clock_text(uuid_time(s->from->segment), born), s->progress.updated_at };
	struct item *i;
	bool need = false;

	for (i = s->from; i < s->to; i++)
		need = need || (i->state == SETTLED && !i->journal);
	snprintf(first, sizeof first, "%" PRId64, s->from->seq);
	snprintf(last, sizeof last, "%" PRId64, s->to[-1].seq);
	return need ? lookup_ask(s->lookup, LOOKUP_SEQS, params, take_seq, s) : ERR_OK;
}

static bool
take_text(void *arg, const char *const *v)
{
	set_text(arg, CLOCK_TEXT, v[0]);
	return true;
}

/* Progress covers them, and no table has them: what is left to be said. */
static enum err
explain_absent(struct search *s)
{
	char oldest[CLOCK_TEXT] = "", born[CLOCK_TEXT];
	struct item *i;
	enum err e = lookup_ask(s->lookup, LOOKUP_OLDEST, NULL, take_text, oldest);
	bool dropped = strcmp(clock_text(uuid_time(s->from->segment), born), oldest) < 0;

	for (i = s->from; e == ERR_OK && i < s->to; i++) {
		if (i->state != SETTLED)
			continue;
		if (dropped) {
			i->state = s->progress.duplicates == 0 ? LOADED : SETTLED;
			set_text(i->detail, sizeof i->detail, i->state == LOADED ?
			    "its partition has been dropped since" :
			    "loaded or a duplicate; the partition has been dropped since");
		} else if (i->journal || s->progress.duplicates == 0) {
			i->state = MISSING;
			set_text(i->detail, sizeof i->detail, "progress covers it but no table has it; see forebay audit");
		} else {
			i->state = DUPLICATE;
			set_text(i->detail, sizeof i->detail, "of what, the journal no longer tells");
		}
	}
	return e;
}

/* The items of one segment. */
static enum err
settle(struct search *s)
{
	char segment[UUID_TEXT], first[24], last[24];
	const char *params[LOOKUP_PARAMS] = { uuid_text(s->from->segment, segment), first, last };
	struct item *i;
	enum err e;

	snprintf(first, sizeof first, "%" PRId64, s->from->seq);
	snprintf(last, sizeof last, "%" PRId64, s->to[-1].seq);
	s->progress = (struct progress){ .known = false };
	e = lookup_ask(s->lookup, LOOKUP_PROGRESS, params, take_progress, &s->progress);
	for (i = s->from; e == ERR_OK && i < s->to; i++)
		if (i->seq <= s->progress.last_seq && (i->state == UNKNOWN || i->state == JOURNALED)) {
			i->state = SETTLED;
			set_text(i->detail, sizeof i->detail, "loaded or a duplicate");
		}
	if (e == ERR_OK && s->progress.known)
		e = lookup_ask(s->lookup, LOOKUP_REFUSED, params, take_refused, s);
	if (e == ERR_OK && s->progress.known)
		e = ask_fingerprints(s);
	if (e == ERR_OK && s->progress.known)
		ask_differing(s);
	if (e == ERR_OK && s->progress.known)
		e = ask_seqs(s);
	if (e == ERR_OK && s->progress.known)
		e = explain_absent(s);
	return e;
}

static int
by_place(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int d = memcmp(&x->segment, &y->segment, sizeof x->segment);

	return d != 0 ? d : (x->seq > y->seq) - (x->seq < y->seq);
}

static enum err
settle_all(struct search *s)
{
	struct item *end = s->items + s->n;
	enum err e = ERR_OK;

	for (s->to = s->items; e == ERR_OK && s->to < end; ) {
		s->from = s->to;
		while (s->to < end && memcmp(&s->to->segment, &s->from->segment, sizeof s->to->segment) == 0)
			s->to++;
		e = settle(s);
	}
	return e;
}

void
where_ask_postgres(struct search *s)
{
	char errmsg[1024];
	enum err e = lookup_open(&s->lookup, s->conf, s->conninfo, LIMIT_MS, errmsg);

	if (e != ERR_OK) {
		set_text(s->trouble, sizeof s->trouble, errmsg);
		return;
	}
	qsort(s->items, s->n, sizeof *s->items, by_place);
	e = s->n == 0 ? ask_id(s) : settle_all(s);
	if (e != ERR_OK)
		set_text(s->trouble, sizeof s->trouble, lookup_errmsg(s->lookup));
	lookup_close(&s->lookup);
}
