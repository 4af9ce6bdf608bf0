/*
 * The journal from a shell script, with the product's own writer and reader:
 *
 *   journal_tool last DIR           one line each: uuid, last seq
 *   journal_tool segments DIR       one line each: uuid, last seq, events, rejections; every
 *                                   row is read, so checksums and holes are checked
 *   journal_tool plant DIR < LINES  one row for each line, its payload, in a segment of its
 *                                   own and past every check of the door; prints its uuid.
 *                                   "=PAYLOAD" is a second delivery of the row before,
 *                                   "!BYTES" a rejection
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "journal/dir.h"
#include "journal/journal.h"
#include "journal/segment.h"

#define TURN	100			/* rows of a commit */

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "journal_tool: %s: %s\n", what, why);
	return EX_IOERR;
}

static bool
count(void *arg, const struct row *row)
{
	uint64_t *n = arg;

	n[row->kind]++;
	return true;
}

static int
show(const char *dir, struct uuid uuid, bool read)
{
	char text[UUID_TEXT], errmsg[256];
	uint64_t n[2] = { 0, 0 };
	struct segment *s = NULL;
	int64_t last = 0;
	enum err e;
	int rc = 0;

	uuid_text(uuid, text);
	e = segment_open(&s, dir, uuid, errmsg);
	if (e == ERR_DOWN)
		return 0;		/* removed since it was listed */
	if (e != ERR_OK)
		return fail(text, errmsg);
	if (segment_last_seq(s, &last) != ERR_OK ||
	    (read && segment_read(s, 0, count, n) != ERR_OK))
		rc = fail(text, segment_errmsg(s));
	else if (!read)
		printf("%s %lld\n", text, (long long)last);
	else
		printf("%s %lld %llu %llu\n", text, (long long)last, (unsigned long long)n[0],
		    (unsigned long long)n[1]);
	segment_close(&s);
	return rc;
}

static int
segments(const char *dir, bool read)
{
	struct dir_segment *all = NULL;
	size_t n = 0, i;
	int rc = 0;

	if (dir_list(dir, &all, &n) != ERR_OK)
		return fail(dir, "cannot be read");
	for (i = 0; i < n; i++)
		if (all[i].born && show(dir, all[i].uuid, read) != 0)
			rc = EX_IOERR;
	free(all);
	return rc;
}

/* One row, a request of its own. */
static enum err
plant_line(struct journal *j, struct uuid_source *ids, const char *line, size_t n)
{
	char id[UUID_TEXT];
	static struct uuid before;
	bool marked = n > 0 && (*line == '=' || *line == '!');
	struct row row = {
		.received_at = clock_us(), .time = CLOCK_UNSET, .key = SLICE(""),
		.payload = { line + marked, n - marked }, .context = SLICE("{\"protocol\":\"planted\"}"),
	};

	row.fingerprint = marked && *line == '=' ? before : uuid_v7(ids, row.received_at);
	before = row.fingerprint;
	if (marked && *line == '!') {
		row.kind = ROW_REJECTION;
		row.reason = SLICE("planted");
	}
	row.id = slice_str(uuid_text(row.fingerprint, id));
	return journal_append(j, &row, 1);
}

static int
plant(const char *dir)
{
	struct uuid_source ids;
	struct journal *j = NULL;
	char errmsg[256], text[UUID_TEXT], *line = NULL;
	enum err e = ERR_OK;
	size_t cap = 0, n = 0;
	ssize_t len;
	int rc = 0;

	uuid_source_init(&ids);
	if (journal_begin(&j, dir, &ids, "planted", errmsg) != ERR_OK)
		return fail(dir, errmsg);
	while (e == ERR_OK && (len = getline(&line, &cap, stdin)) > 0) {
		e = plant_line(j, &ids, line, (size_t)len - (line[len - 1] == '\n'));
		if (e == ERR_OK && ++n % TURN == 0)
			e = journal_commit(j);
	}
	if (e == ERR_OK)
		e = journal_commit(j);
	if (e == ERR_OK)
		printf("%s\n", uuid_text(journal_segment(j), text));
	else
		rc = fail(dir, journal_errmsg(j));
	free(line);
	journal_close(&j);
	return rc;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "segments") == 0)
		return segments(argv[2], true);
	if (argc == 3 && strcmp(argv[1], "last") == 0)
		return segments(argv[2], false);
	if (argc == 3 && strcmp(argv[1], "plant") == 0)
		return plant(argv[2]);
	fputs("usage: journal_tool last|segments|plant DIR\n", stderr);
	return EX_USAGE;
}
