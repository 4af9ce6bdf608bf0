/*
 * SQLite's N-th allocation fails, for every N until a run passes untouched, once
 * and for ever: writing and reading. After a turn that failed nothing goes on (INV-9).
 * (Method: SQLite's malloc tests.)
 */
#include <sqlite3.h>
#include <unistd.h>

#include "journal/dir.h"
#include "journal/journal.h"
#include "journal/segment.h"
#include "tools/rows.h"
#include "tools/tap.h"

static sqlite3_mem_methods real;
static struct { bool armed, for_ever; long left, hits; } fault;

static bool
strikes(void)
{
	if (!fault.armed || fault.left-- > 0)
		return false;
	if (!fault.for_ever)
		fault.armed = false;
	fault.hits++;
	return true;
}

static void *
failing_malloc(int n)
{
	return strikes() ? NULL : real.xMalloc(n);
}

static void *
failing_realloc(void *p, int n)
{
	return strikes() ? NULL : real.xRealloc(p, n);
}

static struct uuid_source ids;
static char dir[256], errmsg[256];

static int
write_rows(struct uuid u)
{
	struct journal *j;
	struct row rows[5];
	struct made_row made[5];
	int acked = 0;
	bool more;

	make_rows(rows, made, 5, 1);
	if (journal_open(&j, dir, u, "n1", errmsg) != ERR_OK)
		return 0;
	if (journal_append(j, rows, 3) == ERR_OK && journal_commit(j) == ERR_OK)
		acked = 3;
	/* an INSERT that failed may have rolled the turn back: what came after it would
	 * commit alone */
	more = journal_append(j, rows + 3, 2) == ERR_OK;
	if (more && acked == 0)
		acked = -1;
	else if (more && journal_commit(j) == ERR_OK)
		acked = 5;
	journal_close(&j);
	return acked;
}

static bool
count(void *arg, const struct row *r UNUSED)
{
	++*(int *)arg;
	return true;
}

static enum err
read_rows(struct uuid u, int *rows)
{
	struct segment *s;
	enum err e = segment_open(&s, dir, u, errmsg);

	*rows = 0;
	if (e == ERR_OK) {
		e = segment_read(s, 0, count, rows);
		segment_close(&s);
	}
	return e;
}

static void
arm(long n, bool for_ever)
{
	fault.armed = true;
	fault.for_ever = for_ever;
	fault.left = n;
	fault.hits = 0;
}

static void
writing(bool for_ever)
{
	struct uuid u;
	int acked = 0, found, bad = 0;
	long n;

	for (n = 0; n < 20000; n++) {
		u = uuid_v7(&ids, clock_us());
		arm(n, for_ever);
		acked = write_rows(u);
		fault.armed = false;
		found = 0;
		/* a failed birth leaves nothing to read */
		if (acked < 0 || (read_rows(u, &found) != ERR_OK && acked > 0) || found < acked ||
		    (found != 0 && found != 3 && found != 5)) {
			printf("# n=%ld: %d acknowledged, %d found\n", n, acked, found);
			bad++;
		}
		(void)!dir_remove(dir, u);
		if (fault.hits == 0)
			break;
	}
	is_int(bad, 0, for_ever ? "writing, for ever: nothing acknowledged is lost" :
	    "writing, once: nothing acknowledged is lost");
	ok(n > 20 && n < 20000, "struck %ld times, to the end", n);
	is_int(acked, 5, "the untouched run acknowledges everything");
}

static void
reading(bool for_ever)
{
	struct uuid u = uuid_v7(&ids, clock_us());
	int rows = 0, bad = 0;
	enum err e = ERR_OK;
	long n;

	fault.armed = false;
	is_int(write_rows(u), 5, "a segment of five rows");
	for (n = 0; n < 20000; n++) {
		arm(n, for_ever);
		e = read_rows(u, &rows);
		fault.armed = false;
		/* memory is no damage: a segment must not be set aside for it */
		if (e == ERR_CORRUPT || (e == ERR_OK && rows != 5)) {
			printf("# n=%ld: error %d, %d rows\n", n, (int)e, rows);
			bad++;
		}
		if (fault.hits == 0)
			break;
	}
	is_int(bad, 0, for_ever ? "reading, for ever: all rows or an error" :
	    "reading, once: all rows or an error");
	ok(n > 20 && n < 20000, "struck %ld times, to the end", n);
	ok(e == ERR_OK && rows == 5, "the untouched run reads everything");
	(void)!dir_remove(dir, u);
}

int
main(void)
{
	sqlite3_mem_methods failing;

	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
	failing = real;
	failing.xMalloc = failing_malloc;
	failing.xRealloc = failing_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
	uuid_source_init(&ids);
	make_dir(dir);
	writing(false);
	writing(true);
	reading(false);
	reading(true);
	remove_dir(dir);
	return done();
}
