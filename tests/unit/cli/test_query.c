/* The journal as tables: pushed-down conditions find what plain ones find, and keep
 * segments closed. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "journal/journal.h"
#include "journal/query.h"
#include "journal/query_scan.h"
#include "journal/receipt.h"
#include "tools/rows.h"
#include "tools/tap.h"

#define SEGMENTS	4
#define ROWS		25000		/* more than one window of a scan */
#define START		INT64_C(1795000000000000)	/* as in rows.h */

static struct uuid_source ids;
static struct uuid names[SEGMENTS];
static char dir[256];

/* A segment of n rows, numbered from `from`; its files are as old as its last row. */
static struct uuid
segment(size_t n, int64_t from)
{
	static struct row rows[5000];
	static struct made_row made[5000];
	char errmsg[256], path[SEGMENT_PATH];
	struct journal *j;
	struct timespec t[2];
	struct uuid u = uuid_v7(&ids, START + from);
	size_t i, k;

	if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK) {
		printf("Bail out! %s\n", errmsg);
		exit(1);
	}
	for (i = 0; i < n; i += 5000) {
		k = n - i < 5000 ? n - i : 5000;
		make_rows(rows, made, k, from + (int64_t)i);
		rows[k - 1].kind = ROW_REJECTION;
		rows[k - 1].reason = SLICE("too_deep");
		if (journal_append(j, rows, k) != ERR_OK || journal_commit(j) != ERR_OK)
			exit(1);
	}
	journal_close(&j);
	t[0].tv_sec = t[1].tv_sec = (START + from + (int64_t)n) / 1000000;
	t[0].tv_nsec = t[1].tv_nsec = 0;
	if (segment_path(path, dir, u, ".db-wal") != ERR_OK || utimensat(AT_FDCWD, path, t, 0) != 0 ||
	    segment_path(path, dir, u, ".db") != ERR_OK || utimensat(AT_FDCWD, path, t, 0) != 0)
		exit(1);
	return u;
}

struct first { char text[256]; };

static bool
keep_first(void *arg, const struct query_value *v, size_t n)
{
	struct first *f = arg;

	if (n > 0)
		snprintf(f->text, sizeof f->text, "%.*s", (int)v[0].text.n, v[0].text.p ? v[0].text.p : "NULL");
	return true;
}

/* The first value of the last row. */
static const char *
ask(const char *sql, const char *param)
{
	static struct first f;
	struct slice p = slice_str(param);
	char errmsg[256];

	f.text[0] = '\0';
	if (query_run(dir, sql, &p, 1, keep_first, &f, errmsg) != ERR_OK)
		snprintf(f.text, sizeof f.text, "%s", errmsg);
	return f.text;
}

static void
test_tables(void)
{
	char text[UUID_TEXT], receipt[128];

	is_str(ask("SELECT count(*) FROM event", NULL), "99980", "every event of every segment");
	is_str(ask("SELECT count(*) FROM rejection", NULL), "20", "every rejection");
	is_str(ask("SELECT count(*) FROM request", NULL), "20", "every request");
	is_str(ask("SELECT DISTINCT events || ' ' || rejections FROM request", NULL), "4999 1", "and what it held");
	is_str(ask("SELECT received_at FROM event ORDER BY seq LIMIT 1", NULL),
	    "2026-11-18 11:06:40.000000", "time is text in UTC");
	snprintf(receipt, sizeof receipt, "%s:5001-9999", uuid_text(names[2], text));
	is_str(ask("SELECT receipt FROM request WHERE segment = ?1 LIMIT 1 OFFSET 1", text), receipt, "a receipt");
	is_str(ask("SELECT count(*) || min(seq) || max(seq) FROM event(?1)", receipt), "499950019999",
	    "what a receipt stands for");
	is_str(ask("SELECT seq FROM request WHERE receipt = ?1", receipt), "5001", "the request of a receipt");
	is_str(ask("SELECT count(*) FROM event WHERE head <> seq AND context IS NULL", NULL), "0",
	    "every row has its request's context");
	is_str(ask("SELECT segment FROM event WHERE id = ?1", "id-61728"), text, "an id");
	is_str(ask("SELECT count(*) FROM event WHERE id = 'id-70' OR seq = 8", NULL), "5", "OR counts a row once");
	is_str(ask("SELECT count(*) FROM event e JOIN request r ON r.segment = e.segment AND r.seq = e.head"
	    " WHERE e.seq BETWEEN 4998 AND 5003", NULL), "20", "a join with the request");
	is_str(ask("SELECT count(*) FROM event WHERE received_at > 5", NULL),
	    "received_at is text in UTC; compare it with datetime('now', '-60 seconds')",
	    "a number is no time");
}

/* "+" before a column keeps SQLite from pushing the condition down. */
static void
test_same_answers(void)
{
	static const char *const ops[] = { "<", "<=", "=", ">=", ">" };
	static const char *const odd[] = {
		"", "2026", "2026-11-18", "2026-11-18 11:06:40", "2026-11-18 11:06:40.05", "9", "zzz", "2026-11-18T",
	};
	char sql[300], param[64];
	struct first plain;
	size_t i, good = 0, n = 0;
	struct { const char *column; int64_t value; } c;

	for (i = 0; i < 45; i++) {
		c.column = i % 3 ? "received_at" : "seq";
		c.value = rand() % (SEGMENTS * ROWS);
		if (i % 3 == 0)
			snprintf(param, sizeof param, "%d", rand() % ROWS);
		else if (i % 3 == 1)
			clock_text(START + c.value, param);
		else
			snprintf(param, sizeof param, "%s", odd[(size_t)rand() % ARRAY_SIZE(odd)]);
		snprintf(sql, sizeof sql, "SELECT count(*) || '/' || total(seq) FROM event WHERE +%s %s %s", c.column,
		    ops[i / 3 % 5], i % 3 ? "?1" : "CAST(?1 AS INTEGER)");
		snprintf(plain.text, sizeof plain.text, "%s", ask(sql, param));
		*strchr(sql, '+') = ' ';
		n++;
		if (strcmp(ask(sql, param), plain.text) == 0)
			good++;
		else
			printf("# %s [%s]: %s, without push-down %s\n", sql, param, ask(sql, param), plain.text);
	}
	is_int((long long)good, (long long)n, "pushed down or not, the answer is the same");
}

/* How many segments a scan opens, and rows it gives. */
static unsigned
opened(void (*limit)(struct scan_bounds *), int64_t *rows)
{
	struct scan s = { .dir = dir };
	bool got = true;
	enum err e;

	s.sql = strdup("SELECT r.seq FROM row r WHERE r.seq BETWEEN ?1 AND ?2 AND r.received_at BETWEEN ?3 AND ?4"
	    " ORDER BY r.seq");
	scan_bounds_init(&s.b);
	limit(&s.b);
	*rows = 0;
	for (e = scan_begin(&s); e == ERR_OK && got; *rows += got)
		e = scan_next(&s, &got);
	ok(e == ERR_OK, "a scan ends well");
	scan_end(&s);
	return s.opened;
}

static void everything(struct scan_bounds *b UNUSED) {}
static void one_segment(struct scan_bounds *b) { b->one = true; b->segment = names[1]; }
static void not_one(struct scan_bounds *b) { b->n_not = 1; b->not[0] = names[1]; }
static void newest(struct scan_bounds *b) { b->at_lo = START + (int64_t)3600 * 1000000 * 3 + 5000; }
static void nothing(struct scan_bounds *b) { b->at_lo = START + INT64_C(100000) * 3600 * 1000000; }

static void
test_skips(void)
{
	int64_t rows;

	is_int(opened(everything, &rows), SEGMENTS, "without a condition every segment is opened");
	is_int(rows, SEGMENTS * ROWS, "and every row given");
	is_int(opened(one_segment, &rows), 1, "one segment opens one");
	is_int(rows, ROWS, "with its rows");
	is_int(opened(not_one, &rows), SEGMENTS - 1, "one left out is not opened");
	is_int(opened(newest, &rows), 1, "old segments are not opened");
	is_int(rows, ROWS - 5000, "and only the rows of that time given");
	is_int(opened(nothing, &rows), 0, "nor any for a time after all");
}

static void
test_vanished(void)
{
	struct scan s = { .dir = dir };
	char cmd[400], text[UUID_TEXT];
	int64_t rows = 0;
	bool got = true;
	enum err e;

	s.sql = strdup("SELECT r.seq FROM row r WHERE r.seq BETWEEN ?1 AND ?2 ORDER BY r.seq");
	scan_bounds_init(&s.b);
	for (e = scan_begin(&s); e == ERR_OK && got && rows < 10; rows += got)
		e = scan_next(&s, &got);
	snprintf(cmd, sizeof cmd, "rm '%.255s/%s'*", dir, uuid_text(names[1], text));
	ok(system(cmd) == 0, "a segment is removed in the middle of a scan");
	for (; e == ERR_OK && got; rows += got)
		e = scan_next(&s, &got);
	ok(e == ERR_OK, "which goes on");
	is_int(rows, (SEGMENTS - 1) * ROWS, "with the others");
	s.deadline = 1;
	e = scan_begin(&s);
	ok(e == ERR_OK && scan_next(&s, &got) == ERR_BUSY, "a deadline that has passed ends a scan");
	scan_end(&s);
}

static void
test_receipts(void)
{
	static const char u[] = "019a9c3e-5b7f-7000-8000-000000000001";
	static const struct { const char *end; bool good; int64_t first, last; } cases[] = {
		{ ":1-3", true, 1, 3 }, { ":7", true, 7, 7 }, { ":7-7", true, 7, 7 }, { ":3-1", false, 0, 0 },
		{ ":0", false, 0, 0 }, { ":", false, 0, 0 }, { "", false, 0, 0 }, { ":1-", false, 0, 0 },
		{ ":1-2x", false, 0, 0 }, { ":-1", false, 0, 0 }, { ":99999999999999999999", false, 0, 0 },
	};
	struct receipt r;
	char text[128];
	size_t i, good = 0;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof text, "%s%s", u, cases[i].end);
		if (receipt_parse(text, strlen(text), &r) == cases[i].good &&
		    (!cases[i].good || (r.first == cases[i].first && r.last == cases[i].last)))
			good++;
		else
			printf("# %s\n", text);
	}
	is_int((long long)good, ARRAY_SIZE(cases), "receipts are read, and what is none is not");
}

int
main(void)
{
	unsigned seed = (unsigned)clock_us();
	int64_t i;

	printf("# seed %u\n", seed);
	srand(seed);
	uuid_source_init(&ids);
	make_dir(dir);
	/* an hour between the segments, but rows.h counts microseconds from its numbers */
	for (i = 0; i < SEGMENTS; i++)
		names[i] = segment(ROWS, i * 3600 * 1000000);
	test_skips();
	remove_dir(dir);
	if (mkdir(dir, 0700) != 0)
		return 1;
	for (i = 0; i < SEGMENTS; i++)
		names[i] = segment(ROWS, i * ROWS);
	test_receipts();
	test_tables();
	test_same_answers();
	test_vanished();
	remove_dir(dir);
	return done();
}
