/*
 * A large journal for tests and measurements of what reads it:
 *
 *   journal_fill DIR ROWS SEGMENT_ROWS SPAN   ROWS events in segments of SEGMENT_ROWS, received
 *                                             evenly over the SPAN seconds up to now
 *
 * Requests of 1 to 5 events, 3 sources, 5 types, ids "id-1", "id-2" ..., about 345
 * bytes of payload; each segment's files are as old as its last row.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/clock.h"
#include "journal/journal.h"
#include "journal/sqlite.h"

#define TURN	2000

struct made { char id[32], payload[512]; };

static const char *const sources[] = { "web", "app", "till" };
static const char *const types[] = { "page.view", "order.placed", "order.paid", "click", "login" };

static int64_t rows, per_segment, span_us, began;
static struct uuid_source ids;

static int64_t
moment(int64_t n)
{
	return began - span_us + (int64_t)((double)span_us * (double)n / (double)rows);
}

static void
make(struct row *r, struct made *m, int64_t n)
{
	snprintf(m->id, sizeof m->id, "id-%lld", (long long)n);
	snprintf(m->payload, sizeof m->payload, "{\"id\":\"%.31s\",\"type\":\"%s\",\"n\":%lld,\"text\":\"%0280lld\"}",
	    m->id, types[n % 5], (long long)n, (long long)n * 7919);
	*r = (struct row){
		.received_at = moment(n), .time = CLOCK_UNSET, .key = SLICE(""),
		.source = slice_str(sources[n % 3]), .id = slice_str(m->id),
		.type = slice_str(types[n % 5]), .payload = slice_str(m->payload),
		.context = SLICE("{\"protocol\":\"native\",\"client_ip\":\"192.0.2.7\"}"),
	};
	memcpy(r->fingerprint.b, &n, sizeof n);
}

static void
set_age(const char *dir, struct uuid u, int64_t us)
{
	static const char *const suffixes[] = { ".db", ".db-wal", ".lock" };
	struct timespec t[2] = { { .tv_sec = us / 1000000 + 1 }, { .tv_sec = us / 1000000 + 1 } };
	char path[SEGMENT_PATH];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (segment_path(path, dir, u, suffixes[i]) == ERR_OK &&
		    utimensat(AT_FDCWD, path, t, 0) != 0)
			perror(path);
}

/* Rows [n, end) as one segment. */
static enum err
fill(const char *dir, int64_t n, int64_t end, char errmsg[256])
{
	struct row r[5];
	struct made m[5];
	struct journal *j = NULL;
	struct uuid u = uuid_v7(&ids, moment(n));
	enum err e = journal_open(&j, dir, u, "filled", errmsg);
	size_t size, i;
	int turn = 0;

	for (; e == ERR_OK && n < end; n += (int64_t)size) {
		size = (size_t)(n % 5 + 1);
		if (end - n < (int64_t)size)
			size = (size_t)(end - n);
		for (i = 0; i < size; i++)
			make(&r[i], &m[i], n + (int64_t)i);
		for (i = 1; i < size; i++)
			r[i].received_at = r[0].received_at;
		e = journal_append(j, r, size);
		if (e == ERR_OK && ++turn % TURN == 0)
			e = journal_commit(j);
	}
	if (e == ERR_OK)
		e = journal_commit(j);
	if (e != ERR_OK && j)
		snprintf(errmsg, 256, "%s", journal_errmsg(j));
	journal_close(&j);
	set_age(dir, u, moment(end - 1));
	return e;
}

int
main(int argc, char **argv)
{
	char errmsg[256];
	int64_t n, end;

	if (argc != 5) {
		fputs("usage: journal_fill DIR ROWS SEGMENT_ROWS SPAN\n", stderr);
		return EX_USAGE;
	}
	rows = strtoll(argv[2], NULL, 10);
	per_segment = strtoll(argv[3], NULL, 10);
	span_us = strtoll(argv[4], NULL, 10) * 1000000;
	began = clock_us();
	uuid_source_init(&ids);
	for (n = 0; per_segment > 0 && n < rows; n = end) {
		end = n + per_segment < rows ? n + per_segment : rows;
		if (fill(argv[1], n, end, errmsg) != ERR_OK) {
			fprintf(stderr, "journal_fill: %s: %s\n", argv[1], errmsg);
			return EX_IOERR;
		}
	}
	return EX_OK;
}
