/*
 * forebay tail [-f]: the newest rows of the journal, and those that come.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cli/cmd.h"
#include "cli/line.h"
#include "journal/dir.h"
#include "journal/query.h"
#include "journal/segment.h"

#define LINES_MAX	10000		/* of -n */
#define POLL_MS		200		/* between two looks at the journal */
#define RECENT_US	INT64_C(10000000)	/* what changed so lately may be written at this moment */
#define SLACK_US	INT64_C(1000000)
#define LINE_BYTES	(64 * 1024 * 1024)

/* A segment and how far it has been shown. */
struct followed {
	struct uuid segment;
	int64_t seq, changed_at, from_at;	/* rows received before from_at are not new */
	uint64_t bytes;
};

struct place { struct uuid segment; int64_t seq; char received_at[CLOCK_TEXT]; };

struct tail {
	const struct conf *conf;
	bool json, rejected;
	const char *type, *source, *text;
	int width;			/* of the terminal, 0: lines are not cut */
	struct followed *list;		/* sorted by segment */
	size_t n;
	struct place places[2 * LINES_MAX];
	size_t n_places, lines;
	struct uuid segment;		/* being read */
	int64_t seq, from_at;
	bool once;			/* one row only */
	struct buf line;
};

static bool
wanted(const struct tail *t, const struct row *r)
{
	return (r->kind == ROW_REJECTION) == t->rejected && r->received_at >= t->from_at &&
	    (!t->type || slice_is(r->type, t->type)) && (!t->source || slice_is(r->source, t->source)) &&
	    (!t->text || (r->payload.n > 0 && memmem(r->payload.p, r->payload.n, t->text, strlen(t->text))));
}

static bool
show(void *arg, const struct row *r)
{
	struct tail *t = arg;

	t->seq = r->seq;
	if (!wanted(t, r))
		return !t->once;
	buf_reset(&t->line);
	if (t->json)
		line_json(&t->line, t->segment, r);
	else
		line_text(&t->line, t->width, r);
	if (!t->line.failed)
		fwrite(t->line.p, 1, t->line.n, stdout);
	return !t->once;
}

/* Shows the rows after *seq and moves it; true: the segment is there and readable. */
static bool
show_after(struct tail *t, struct uuid segment, int64_t *seq, int64_t from_at, bool once)
{
	char errmsg[256];
	struct segment *s;

	if (segment_look(&s, t->conf->journal_dir, segment, errmsg) != ERR_OK)
		return false;		/* it has gone, or is busy: the next look tells */
	t->segment = segment;
	t->seq = *seq;
	t->from_at = from_at;
	t->once = once;
	if (segment_read(s, *seq, show, t) != ERR_OK)
		fprintf(stderr, "forebay tail: %s\n", segment_errmsg(s));
	*seq = t->seq;
	segment_close(&s);
	return true;
}

/* --- the last lines --------------------------------------------------------------------- */

static bool
take_place(void *arg, const struct query_value *v, size_t n UNUSED)
{
	struct tail *t = arg;
	struct place *p = &t->places[t->n_places];

	p->segment = t->segment;
	p->seq = strtoll(v[0].text.p, NULL, 10);
	snprintf(p->received_at, sizeof p->received_at, "%.*s", (int)v[1].text.n, v[1].text.p);
	return ++t->n_places < ARRAY_SIZE(t->places);
}

static int
newest_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int d = strcmp(y->received_at, x->received_at);

	if (d == 0)
		d = memcmp(&y->segment, &x->segment, sizeof x->segment);
	return d != 0 ? d : (y->seq > x->seq) - (y->seq < x->seq);
}

static int
newest_segment(const void *a, const void *b)
{
	const struct dir_segment *x = a, *y = b;

	return (y->changed_at > x->changed_at) - (y->changed_at < x->changed_at);
}

/* Adds the newest of one segment; of all that are known the newest `lines` stay. */
static enum err
add_places(struct tail *t, struct uuid segment, char errmsg[256])
{
	char sql[512], text[UUID_TEXT], n[24];
	const struct slice params[] = {
		slice_str(uuid_text(segment, text)), slice_str(t->type), slice_str(t->source),
		slice_str(t->text), { n, (size_t)snprintf(n, sizeof n, "%zu", t->lines) },
	};
	enum err e;

	snprintf(sql, sizeof sql, "SELECT seq, received_at FROM %s WHERE segment = ?1%s%s%s"
	    " ORDER BY seq DESC LIMIT CAST(?5 AS INTEGER)",
	    t->rejected ? "rejection" : "event", t->type ? " AND type = ?2" : "",
	    t->source ? " AND source = ?3" : "", t->text ? " AND instr(payload, ?4) > 0" : "");
	t->segment = segment;
	e = query_run(t->conf->journal_dir, sql, params, ARRAY_SIZE(params), take_place, t, errmsg);
	qsort(t->places, t->n_places, sizeof *t->places, newest_place);
	if (t->n_places > t->lines)
		t->n_places = t->lines;
	return e;
}

/* The newest places, newest first: segment by segment, until none can hold a newer one. */
static enum err
find_places(struct tail *t, char errmsg[256])
{
	struct dir_segment *list;
	char changed[CLOCK_TEXT];
	size_t i, n;
	enum err e = dir_list(t->conf->journal_dir, &list, &n);

	if (e != ERR_OK)
		return e;
	if (n > 0)
		qsort(list, n, sizeof *list, newest_segment);
	for (i = 0; e == ERR_OK && i < n; i++) {
		if (t->n_places == t->lines && strcmp(clock_text(list[i].changed_at + SLACK_US, changed),
		    t->places[t->lines - 1].received_at) < 0)
			break;
		if (list[i].born)
			e = add_places(t, list[i].uuid, errmsg);
	}
	free(list);
	return e;
}

static int
by_segment(const void *a, const void *b)
{
	return memcmp(&((const struct followed *)a)->segment, &((const struct followed *)b)->segment,
	    sizeof(struct uuid));
}

static struct followed *
followed(const struct tail *t, struct uuid segment)
{
	struct followed key = { .segment = segment };

	return t->n > 0 ? bsearch(&key, t->list, t->n, sizeof key, by_segment) : NULL;
}

/* What came after the places were marked is left to -f. */
static void
show_places(struct tail *t)
{
	const struct followed *f;
	int64_t seq;
	size_t i;

	for (i = t->n_places; i-- > 0; ) {
		f = followed(t, t->places[i].segment);
		seq = t->places[i].seq - 1;
		if (!f || f->seq == 0 || seq < f->seq)
			show_after(t, t->places[i].segment, &seq, INT64_MIN, true);
	}
}

/* --- following ---------------------------------------------------------------------------- */

/* The list of segments anew; what is known of each is kept. */
static enum err
look(struct tail *t, int64_t from_at)
{
	struct dir_segment *now;
	struct followed *list, *old;
	size_t i, n, k = 0;
	enum err e = dir_list(t->conf->journal_dir, &now, &n);

	if (e != ERR_OK)
		return e;
	list = calloc(n + 1, sizeof *list);
	for (i = 0; list && i < n; i++) {
		if (!now[i].born)
			continue;
		old = followed(t, now[i].uuid);
		list[k] = old ? *old : (struct followed){ .segment = now[i].uuid, .from_at = from_at };
		if (old && old->bytes == now[i].bytes && old->changed_at == now[i].changed_at) {
			k++;
			continue;
		}
		if ((!old && from_at == INT64_MAX) ||
		    show_after(t, list[k].segment, &list[k].seq, list[k].from_at, false)) {
			list[k].bytes = now[i].bytes;
			list[k].changed_at = now[i].changed_at;
		}
		k++;
	}
	free(now);
	if (!list)
		return ERR_NOMEM;
	free(t->list);
	t->list = list;
	t->n = k;
	return ERR_OK;
}

/*
 * Where every segment stands now: those that may be written at this moment are asked
 * for their last seq; of the others rows count as new that are received from now on.
 */
static enum err
mark(struct tail *t)
{
	int64_t now = clock_us();
	char errmsg[256];
	struct segment *s;
	size_t i;
	enum err e = look(t, INT64_MAX);

	for (i = 0; e == ERR_OK && i < t->n; i++) {
		t->list[i].from_at = now;
		if (t->list[i].changed_at < now - RECENT_US ||
		    segment_look(&s, t->conf->journal_dir, t->list[i].segment, errmsg) != ERR_OK)
			continue;
		t->list[i].from_at = INT64_MIN;
		e = segment_last_seq(s, &t->list[i].seq);
		segment_close(&s);
	}
	return e;
}

static int
tail(struct tail *t, bool follow)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	char errmsg[256] = "";
	enum err e = mark(t);

	if (e == ERR_OK && t->lines > 0)
		e = find_places(t, errmsg);
	if (e == ERR_OK)
		show_places(t);
	while (e == ERR_OK && follow && fflush(stdout) == 0) {
		nanosleep(&pause, NULL);
		e = look(t, INT64_MIN);
	}
	if (e != ERR_OK)
		fprintf(stderr, "forebay tail: %s %s\n", err_name(e), errmsg);
	return err_exit(e);
}

static const char usage[] =
    "usage: forebay tail [-f] [-n LINES] [--type TYPE] [--source SOURCE] [--text TEXT]\n"
	    "                    [--rejected] [--json]\n"
	    "The newest events of the journal, one a line: for people on a terminal, JSON (NDJSON)\n"
	    "elsewhere.\n"
	    "  -f               go on with those that come, also in new segments\n"
	    "  -n LINES         how many to begin with (10)\n"
	    "  --type, --source exactly this\n"
	    "  --text TEXT      the payload holds these bytes\n"
	    "  --rejected       what was refused at the door instead of events\n"
	    "  --json           JSON on a terminal too\n"
	    "exit status: 0; 64 usage; 66 no journal; 77 no right to read\n";

static bool
read_lines(struct tail *t, const char *n)
{
	char *end;

	t->lines = strtoul(n, &end, 10);
	return t->lines <= LINES_MAX && end != n && *end == '\0' && *n != '-';
}

static int
run(struct tail *t, const struct conf_args *args, int argc, char **argv)
{
	const char *lines = "10";
	bool follow = false;
	const struct cmd_option options[] = {
		{ "follow", 'f', &follow, NULL }, { NULL, 'n', NULL, &lines }, { "type", 0, NULL, &t->type },
		{ "source", 0, NULL, &t->source }, { "text", 0, NULL, &t->text },
		{ "rejected", 0, &t->rejected, NULL }, { "json", 0, &t->json, NULL }, { NULL, 0, NULL, NULL },
	};
	int status = cmd_options(&argc, &argv, options, usage);

	if (status >= 0)
		return status;
	if (argc > 0 || !read_lines(t, lines))
		return cmd_usage(usage);
	t->conf = cmd_conf(args);
	status = cmd_journal_readable(t->conf->journal_dir);
	return status == EX_OK ? tail(t, follow) : status;
}

int
cmd_tail(const struct conf_args *args, int argc, char **argv)
{
	struct tail *t = calloc(1, sizeof *t);
	struct winsize size;
	int status;

	if (!t)
		return EX_OSERR;
	t->json = !isatty(STDOUT_FILENO);
	if (!t->json && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		t->width = size.ws_col;
	buf_init(&t->line, LINE_BYTES);
	status = run(t, args, argc, argv);
	buf_fini(&t->line);
	free(t->list);
	free(t);
	return status;
}
