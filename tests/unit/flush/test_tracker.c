/* Segments of a real journal, progress of a sink that is none. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "flush/tracker.h"
#include "journal/journal.h"
#include "tools/null_sink.h"
#include "tools/rows.h"
#include "tools/tap.h"
#include "tools/tmp.h"

#define ROWS	10

static char dir[TMP_PATH];
static struct conf *conf;
static struct stat_slot slot;
static struct sink *sink;
static struct tracker t;
static struct batch batch;

static struct uuid
name(uint8_t n)
{
	return (struct uuid){ { 0x01, 0x93, 0x4b, 0x1e, 0, 0, 0x70, 0, 0x80, [15] = n } };
}

static bool
append(struct journal *j, int64_t first_at)
{
	static struct made_row made[ROWS];
	struct row rows[ROWS];
	size_t i;

	make_rows(rows, made, ROWS, journal_segment(j).b[15] * 100);
	for (i = 0; i < ROWS; i++)
		rows[i].received_at = first_at + (int64_t)i;
	return journal_append(j, rows, ROWS) == ERR_OK && journal_commit(j) == ERR_OK;
}

/* A segment of ROWS rows, of the time of its name; live: the caller closes it. */
static struct journal *
segment(struct uuid u, bool live)
{
	struct journal *j = NULL;
	char errmsg[256];

	if (journal_open(&j, dir, u, "node", errmsg) != ERR_OK || !append(j, uuid_time(u))) {
		printf("Bail out! %s\n", errmsg);
		exit(1);
	}
	if (!live)
		journal_close(&j);
	return j;
}

static bool
exists(struct uuid u, const char *suffix)
{
	char path[TMP_PATH + 80], text[UUID_TEXT];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s%s", dir, uuid_text(u, text), suffix);
	return stat(path, &st) == 0;
}

static void
start(const char *keep, const char *retention)
{
	char keep_flag[64], retention_flag[64], dir_flag[TMP_PATH + 32], errmsg[512];
	char *flags[] = { keep_flag, retention_flag, dir_flag, (char[]){ "journal.keep_min=0" },
		(char[]){ "journal.floor_bytes=0" }, (char[]){ "journal.cap_pct=100" } };

	tmp_make(dir);
	snprintf(keep_flag, sizeof keep_flag, "journal.keep=%s", keep);
	snprintf(retention_flag, sizeof retention_flag, "flush.retention=%s", retention);
	snprintf(dir_flag, sizeof dir_flag, "journal.dir=%s", dir);
	if (conf_load(&conf, "/dev/null", flags, ARRAY_SIZE(flags), errmsg) != ERR_OK ||
	    null_sink_open(&sink) != ERR_OK || batch_init(&batch, 25, 100000) != ERR_OK) {
		printf("Bail out! %s\n", errmsg);
		exit(1);
	}
	memset(&slot, 0, sizeof slot);
	tracker_init(&t, conf, &slot);
}

static void
finish(void)
{
	tracker_fini(&t);
	sink->ops->close(&sink);
	batch_fini(&batch);
	conf_free(&conf);
	tmp_remove(dir);
}

/* One turn as the flusher takes it; how many rows it shipped. */
static size_t
turn(void)
{
	struct sink_result r;
	struct sink_batch b;

	if (tracker_scan(&t, true) != ERR_OK)
		return SIZE_MAX;
	tracker_keep_house(&t, 60000);
	if (!t.connected)
		return 0;
	if (tracker_progress(&t, sink) != ERR_OK)
		return SIZE_MAX;
	batch_clear(&batch);
	tracker_rewind(&t);
	tracker_collect(&t, &batch, false);
	batch_slice(&batch, 0, batch.n, &b);
	if (batch.n > 0 && sink->ops->attempt(sink, &b, SINK_PLAIN, NULL, 0, 0, &r) != ERR_OK)
		return SIZE_MAX;
	tracker_loaded(&t, &batch, batch.n);
	return batch.n;
}

/* Sets a segment's progress behind the tracker's back. */
static void
set_progress(struct uuid u, int64_t seq)
{
	struct row r = { .seq = seq };
	struct sink_batch b = { .rows = &r, .n_rows = 1, .n_parts = 1, .parts = { { u, 0, 1, true } } };
	struct sink_result result;

	if (sink->ops->attempt(sink, &b, SINK_PLAIN, NULL, 0, 0, &result) != ERR_OK)
		puts("Bail out! out of memory");
}

/* INV-12: what is known of progress is what was read since the connect. */
static void
test_collect(void)
{
	struct journal *live;

	start("1h", "0");
	segment(name(1), false);
	segment(name(2), false);
	live = segment(name(3), true);
	is_int((long long)turn(), 0, "before a connection nothing is shipped");
	is_int((long long)slot.v[STAT_flush_pending_rows], 30, "but it is counted");
	tracker_connected(&t, true);
	is_int((long long)turn(), 25, "a batch is full");
	ok(batch.n_parts == 3 && batch.parts[0].n == 10 && batch.parts[2].n == 5 && !batch.parts[0].known,
	    "of the oldest segments, in order");
	is_int((long long)turn(), 5, "the next takes the rest");
	ok(batch.parts[0].known, "of a segment that is known now");
	is_int((long long)turn(), 0, "then there is nothing");
	is_int((long long)tracker_pending(&t, 10000), 0, "pending");
	ok(t.segs[0].final && t.segs[1].final && !t.segs[2].final, "only those without a writer are final");
	journal_close(&live);
	turn();
	ok(t.segs[2].final, "when its writer goes, the third is too");
	ok(exists(name(1), ".db"), "all are kept");
	set_progress(name(1), 4);
	is_int((long long)turn(), 0, "progress that changes during a connection is not looked for");
	tracker_connected(&t, true);
	is_int((long long)turn(), 6, "in the next it is: what was lost is sent again");
	finish();
}

static bool
committed(struct batch *b, size_t n)
{
	struct sink_result r;
	struct sink_batch s;

	batch_slice(b, 0, n, &s);
	return sink->ops->attempt(sink, &s, SINK_PLAIN, NULL, 0, 0, &r) == ERR_OK;
}

/* Two batches at a time: they have different segments, or one waits for the other; each
 * row goes into one batch, and what is not committed comes again. */
static void
test_lanes(void)
{
	struct batch next;

	start("1h", "0");
	segment(name(1), false);
	segment(name(2), false);
	ok(batch_init(&next, 4, 100000) == ERR_OK && tracker_scan(&t, true) == ERR_OK, "two segments");
	tracker_connected(&t, true);
	ok(tracker_progress(&t, sink) == ERR_OK, "and their progress");
	ok(tracker_collect(&t, &next, false) && next.n == 4, "a batch of four rows is full");
	ok(tracker_is_next(&t, &next), "and goes");
	ok(!tracker_collect(&t, &batch, false) && batch.n == ROWS && batch.n_parts == 1 &&
	    batch.parts[0].segment.b[15] == 2,
	    "the next one takes the other segment");
	ok(tracker_is_next(&t, &batch) && committed(&batch, ROWS), "and need not wait");
	tracker_loaded(&t, &batch, ROWS);
	batch_clear(&batch);
	tracker_collect(&t, &batch, false);
	is_int((long long)batch.n, 0, "nothing else is free");
	tracker_collect(&t, &batch, true);
	ok(batch.n == ROWS - 4 && batch.rows[0].seq == 5, "but the rest of the first can be read");
	ok(!tracker_is_next(&t, &batch), "and has to wait");
	ok(committed(&next, 3), "three of the four are committed");
	tracker_loaded(&t, &next, 3);
	batch_clear(&batch);
	tracker_rewind(&t);
	tracker_collect(&t, &batch, false);
	ok(batch.n == ROWS - 3 && batch.rows[0].seq == 4, "after a failure the others come again");
	ok(tracker_is_next(&t, &batch) && committed(&batch, batch.n), "and go");
	tracker_loaded(&t, &batch, batch.n);
	is_int((long long)tracker_pending(&t, 10000), 0, "all is there");
	batch_fini(&next);
	finish();
}

static void
test_remove(void)
{
	start("0", "0");
	segment(name(1), false);
	segment(name(2), false);
	tracker_connected(&t, true);
	turn();
	turn();				/* confirms, may ask once more */
	set_progress(name(2), 3);
	turn();
	turn();
	turn();
	ok(!exists(name(1), ".db") && !exists(name(1), ".lock") && !exists(name(1), ".db-wal"),
	    "done and past journal.keep: removed");
	turn();
	turn();
	turn();
	ok(!exists(name(2), ".db"), "the other when progress covers it again");
	is_int((long long)slot.v[STAT_flush_segments_removed_total], 2, "both are counted");
	finish();
}

/* Files that a clock has stamped which was set back since. */
static void
test_from_the_future(void)
{
	static const char *const suffixes[] = { ".db", ".db-wal" };
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = clock_us() / 1000000 + 86400 } };
	char path[TMP_PATH + 80], text[UUID_TEXT];
	size_t i;

	start("1h", "0");
	conf->journal_floor_pct = 50;
	conf->journal_floor_bytes = INT64_MAX;
	segment(name(1), false);
	for (i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(path, sizeof path, "%s/%s%s", dir, uuid_text(name(1), text), suffixes[i]);
		ok(utimensat(AT_FDCWD, path, times, 0) == 0, "%s is of tomorrow", suffixes[i]);
	}
	tracker_connected(&t, true);
	for (i = 0; i < 6; i++)
		turn();
	ok(t.tight && !exists(name(1), ".db"), "where space is short it goes as soon as the others");
	finish();
}

/* INV-15: the last word before a segment is removed is PostgreSQL's. */
static void
test_ask_once_more(void)
{
	int i;

	start("50ms", "0");
	segment(name(1), false);
	tracker_connected(&t, true);
	turn();
	turn();
	turn();
	ok(exists(name(1), ".db"), "kept for journal.keep");
	set_progress(name(1), 3);	/* a standby took over and the connection does not show it */
	for (i = 0; i < 10 && t.segs[0].leaving == STAYS; i++) {
		usleep(20000);
		if (tracker_scan(&t, true) != ERR_OK)
			break;
		tracker_keep_house(&t, 60000);
	}
	ok(t.segs[0].leaving == ASK_ONCE_MORE && exists(name(1), ".db"), "before it goes, progress is read again");
	is_int((long long)turn(), 7, "it went back: the rows are sent again");
	ok(exists(name(1), ".db"), "and the segment stays");
	finish();
}

/* Another last row than when it was claimed, whoever did that: it begins again. */
static void
test_other_end(void)
{
	int i;

	start("0", "0");
	segment(name(1), false);
	tracker_connected(&t, true);
	turn();
	ok(t.n == 1 && t.segs[0].final, "a segment that is final");
	t.segs[0].last_seq = ROWS - 1;
	for (i = 0; i < 6; i++)
		turn();
	ok(!exists(name(1), ".db"), "and turns out to be longer is looked at anew, and goes");
	finish();
}

static void
test_foreign(void)
{
	char path[TMP_PATH + 80], text[UUID_TEXT], bytes[65536], *at;
	ssize_t n;
	int fd, i;

	start("1h", "0");
	segment(name(1), false);
	snprintf(path, sizeof path, "%s/%s.db", dir, uuid_text(name(1), text));
	fd = open(path, O_RDWR);
	n = pread(fd, bytes, sizeof bytes, 0);
	at = n > 0 ? memmem(bytes, (size_t)n, "format1", 7) : NULL;
	ok(at && pwrite(fd, "2", 1, at + 6 - bytes) == 1, "a segment of another version's format");
	close(fd);
	tracker_connected(&t, true);
	for (i = 0; i < 3; i++)
		is_int((long long)turn(), 0, "is not shipped");
	ok(exists(name(1), ".db") && exists(name(1), ".lock"), "nor taken for damage: it waits where it is");
	ok(strstr(t.errmsg, "another format") && strstr(t.errmsg, text), "with an alarm that names it");
	ok(tracker_carried(&t, 10000) && tracker_pending(&t, 10000) > 0, "a stop does not wait for it, but says that something is left");
	finish();
}

static void
test_apart(void)
{
	start("0", "0");
	segment(name(1), false);
	tracker_connected(&t, true);
	turn();
	if (tracker_progress(&t, sink) != ERR_OK)
		puts("Bail out! progress");
	tracker_connected(&t, false);
	segment(name(2), false);
	turn();
	turn();
	turn();
	ok(exists(name(1), ".db"), "what was confirmed stays while PostgreSQL is away: a standby may lack it");
	conf->journal_floor_pct = 50;
	conf->journal_floor_bytes = INT64_MAX;
	turn();
	turn();
	ok(!exists(name(1), ".db"), "but where space is short it goes");
	turn();
	ok(exists(name(2), ".db"), "what was not stays");
	finish();
}

/* INV-7 */
static void
test_unborn(void)
{
	char path[TMP_PATH + 80], text[UUID_TEXT];
	FILE *f;

	start("1h", "0");
	snprintf(path, sizeof path, "%s/%s.lock", dir, uuid_text(name(1), text));
	f = fopen(path, "w");
	if (f)
		fclose(f);
	tracker_connected(&t, true);
	turn();
	ok(f && !exists(name(1), ".lock"), "an unfinished segment is removed");
	segment(name(2), false);
	snprintf(path, sizeof path, "%s/%s.lock", dir, uuid_text(name(2), text));
	ok(truncate(path, 0) == 0, "so is one whose removal was cut short");
	snprintf(path, sizeof path, "%s/%s.db-wal", dir, uuid_text(name(2), text));
	ok(unlink(path) == 0, "after its first file");
	turn();
	ok(!exists(name(2), ".lock") && !exists(name(2), ".db"), "nothing of it is left");
	is_int((long long)slot.v[STAT_flush_segments_set_aside_total], 0, "and not set aside");
	finish();
}

static void
test_damage(void)
{
	char path[TMP_PATH + 80], text[UUID_TEXT];

	start("1h", "0");
	segment(name(1), false);
	segment(name(2), false);
	snprintf(path, sizeof path, "%s/%s.db", dir, uuid_text(name(1), text));
	ok(truncate(path, 0) == 0, "a database file that lost its bytes");
	tracker_connected(&t, true);
	turn();
	turn();
	ok(!exists(name(1), ".db") && slot.v[STAT_flush_segments_set_aside_total] == 1,
	    "a damaged segment is set aside");
	ok(exists(name(2), ".db") && tracker_pending(&t, 10000) == 0, "the other is shipped");
	segment(name(3), false);
	snprintf(path, sizeof path, "%s/%s.db", dir, uuid_text(name(3), text));
	ok(unlink(path) == 0, "a database file that is missing");
	turn();
	turn();
	ok(!exists(name(3), ".lock") && slot.v[STAT_flush_segments_set_aside_total] == 2,
	    "is damage too: what is left is set aside");
	finish();
}

/* INV-11, INV-15: SQLite ends the WAL before its first row, and what lies behind was
 * acknowledged. A connection that did not last until progress was read says nothing of it. */
static void
test_tail_damage(void)
{
	char path[TMP_PATH + 80], text[UUID_TEXT];
	struct journal *j;
	int fd, i;

	start("0", "0");
	j = segment(name(1), true);
	ok(append(j, clock_us()), "a segment of two turns");
	journal_close(&j);
	snprintf(path, sizeof path, "%s/%s.db-wal", dir, uuid_text(name(1), text));
	fd = open(path, O_WRONLY);
	ok(fd >= 0 && pwrite(fd, "x", 1, 32 + 24 + 4000) == 1, "whose first frame is damaged");
	close(fd);
	turn();
	ok(t.segs[0].tail_damaged && t.segs[0].last_seq == 0, "is found to be so before there is a connection");
	conf->journal_floor_pct = 50;
	conf->journal_floor_bytes = INT64_MAX;
	tracker_connected(&t, true);
	tracker_connected(&t, false);
	for (i = 0; i < 4; i++)
		turn();
	is_int((long long)slot.v[STAT_flush_segments_removed_total], 0, "a damaged segment is not removed though space is short");
	tracker_connected(&t, true);
	turn();
	turn();
	is_int((long long)slot.v[STAT_flush_segments_set_aside_total], 1, "a damaged segment is set aside once progress was read");
	finish();
}

/* Sound to open, but its rows cannot be found: the page where they begin is no page. */
static void
test_rows_lost(void)
{
	static const char junk[4096] = { 'x' };
	char path[TMP_PATH + 80], text[UUID_TEXT], errmsg[256];
	struct journal *j = NULL;
	pid_t writer;
	int fd;

	start("1h", "0");
	writer = fork();
	if (writer == 0)		/* goes before its first row */
		_exit(journal_open(&j, dir, name(1), "node", errmsg) != ERR_OK);
	ok(writer > 0 && waitpid(writer, NULL, 0) == writer, "a segment without rows, whose writer died");
	snprintf(path, sizeof path, "%s/%s.db", dir, uuid_text(name(1), text));
	fd = open(path, O_RDWR);
	ok(fd >= 0 && pwrite(fd, junk, sizeof junk, 2 * sizeof junk) == sizeof junk, "and a page");
	close(fd);
	tracker_connected(&t, true);
	turn();
	ok(!t.errmsg[0], "nobody is told to restart its writer");
	turn();
	ok(!exists(name(1), ".db") && slot.v[STAT_flush_segments_set_aside_total] == 1, "it is set aside");
	finish();
}

static unsigned
open_files(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void
test_many(void)
{
	unsigned before;
	uint8_t i;

	start("1h", "0");
	for (i = 1; i <= 200; i++)
		segment(name(i), false);
	before = open_files();
	ok(tracker_scan(&t, true) == ERR_OK, "200 segments that nobody has claimed");
	is_int((long long)tracker_pending(&t, 0), ROWS + 199, "without time one is counted, the others have a row at least");
	is_int((long long)tracker_pending(&t, 10000), 200 * ROWS, "are counted");
	ok(open_files() - before < 400, "but not all kept open: %u descriptors", open_files() - before);
	finish();
}

/* As after many crashes: all is in PostgreSQL, nobody has claimed anything yet. */
static void
test_unclaimed(void)
{
	unsigned before;
	size_t rows = 0;
	uint8_t i;

	start("1h", "0");
	for (i = 1; i <= 200; i++)
		segment(name(i), false);
	tracker_connected(&t, true);
	before = open_files();
	ok(tracker_scan(&t, true) == ERR_OK && tracker_progress(&t, sink) == ERR_OK, "200 segments without house-keeping");
	do {
		batch_clear(&batch);
		tracker_collect(&t, &batch, false);
		if (batch.n > 0 && committed(&batch, batch.n))
			tracker_loaded(&t, &batch, batch.n);
		rows += batch.n;
	} while (batch.n > 0);
	is_int((long long)rows, 200 * ROWS, "all are read");
	ok(open_files() - before < 120, "and closed, but for the newest: %u descriptors", open_files() - before);
	finish();
}

static void
test_grown(void)
{
	struct journal *first, *second;

	start("1h", "0");
	first = segment(name(1), true);
	second = segment(name(2), true);
	tracker_connected(&t, true);
	while (turn() > 0)
		;
	is_int((long long)tracker_pending(&t, 10000), 0, "two writers, all is shipped");
	/* both, so that the one look that is always given finds one that has grown whichever it is */
	ok(append(first, clock_us()) && append(second, clock_us()) && tracker_scan(&t, true) == ERR_OK,
	    "both write on");
	is_int((long long)tracker_pending(&t, 0), ROWS + 1, "without time for the second there is a row at least");
	journal_close(&first);
	journal_close(&second);
	finish();
}

static void
test_carried(void)
{
	struct journal *j[4];
	uint8_t i;

	start("1h", "0");
	for (i = 0; i < 3; i++) {
		j[i] = segment(name((uint8_t)(i + 1)), true);
		set_progress(name((uint8_t)(i + 1)), ROWS);
	}
	tracker_connected(&t, true);
	ok(tracker_scan(&t, true) == ERR_OK && tracker_progress(&t, sink) == ERR_OK, "three segments, all in PostgreSQL");
	ok(!tracker_carried(&t, 0) && !tracker_carried(&t, 0), "told to stop: without time for each segment nobody knows");
	ok(tracker_carried(&t, 0), "when each had its turn: all is carried");
	for (i = 0; i < 3; i++)
		append(j[i], clock_us());
	j[3] = segment(name(4), true);
	ok(tracker_scan(&t, true) == ERR_OK && tracker_pending(&t, 10000) == 4 * ROWS, "rows and a segment come later: pending");
	ok(tracker_carried(&t, 10000), "but not due");
	for (i = 0; i < 4; i++)
		journal_close(&j[i]);
	finish();

	start("1h", "0");
	j[0] = segment(name(1), true);
	tracker_connected(&t, true);
	ok(tracker_scan(&t, true) == ERR_OK && !tracker_carried(&t, 10000), "told to stop, rows are due");
	append(j[0], clock_us());
	ok(turn() == 2 * ROWS && tracker_carried(&t, 10000), "until they are carried");
	journal_close(&j[0]);
	finish();
}

static void
test_hindered(void)
{
	struct rlimit files, few;
	int i, free_one = dup(STDIN_FILENO);

	close(free_one);
	start("1h", "0");
	segment(name(1), false);
	tracker_connected(&t, true);
	getrlimit(RLIMIT_NOFILE, &files);
	few = files;
	few.rlim_cur = (rlim_t)free_one + 1;
	setrlimit(RLIMIT_NOFILE, &few);
	turn();
	ok(t.errmsg[0] == '\0', "a moment with one descriptor is no alarm");
	for (i = 0; i < 4; i++)
		turn();
	ok(strstr(t.errmsg, "Too many open files") && strstr(t.errmsg, "LimitNOFILE"), "longer is, and says why");
	setrlimit(RLIMIT_NOFILE, &files);
	turn();
	turn();
	ok(t.errmsg[0] == '\0' && tracker_pending(&t, 10000) == 0, "it goes on by itself");
	is_int((long long)slot.v[STAT_flush_segments_set_aside_total], 0, "and takes nothing for damaged");
	finish();
}

/* What a reader says of damage has to outlive it. */
static void
test_last_words(void)
{
	char path[TMP_PATH + 80], text[UUID_TEXT], line[1024] = "";
	struct journal *live;
	struct made_row made[ROWS];
	struct row rows[ROWS];
	int console = dup(STDERR_FILENO), fd;

	start("1h", "0");
	live = segment(name(1), true);
	tracker_connected(&t, true);
	turn();
	make_rows(rows, made, ROWS, 900);
	ok(journal_append(live, rows, ROWS) == ERR_OK && journal_commit(live) == ERR_OK, "rows in a live segment");
	snprintf(path, sizeof path, "%s/%s.db-wal", dir, uuid_text(name(1), text));
	ok(truncate(path, 32) == 0, "whose log is cut off");
	snprintf(path, sizeof path, "%s/log", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	dup2(fd, STDERR_FILENO);
	log_init("test_tracker", LOG_DEBUG);
	turn();
	log_init("test_tracker", 0);
	dup2(console, STDERR_FILENO);
	ok(pread(fd, line, sizeof line - 1, 0) > 0, "are not read: %s", line);
	ok(strstr(line, "SQLite code") || strstr(line, "at seq"), "and the line says why");
	close(fd);
	close(console);
	journal_close(&live);
	finish();
}

static void
test_stray(void)
{
	struct journal *idle = NULL;
	char errmsg[256];

	start("1h", "30d");
	ok(journal_open(&idle, dir, name(9), "node", errmsg) == ERR_OK, "a writer that was idle for long");
	tracker_connected(&t, true);
	turn();
	turn();
	ok(!t.errmsg[0] && !t.segs[0].stray, "is no reason for an alarm");
	ok(append(idle, clock_us()), "when events come");
	is_int((long long)turn(), 10, "they are shipped");
	journal_close(&idle);
	segment(name(1), false);	/* its name is of November 2024 */
	segment((struct uuid){ { 0x7f, 0xff, 0xff, 0xff, 0, 0, 0x70, 0, 0x80 } }, false);
	tracker_connected(&t, true);
	is_int((long long)turn(), 10, "a segment that is not known and older than the retention is not shipped");
	turn();
	ok(strstr(t.errmsg, "INSERT INTO forebay.progress") != NULL, "a person has to say what it is");
	is_int((long long)tracker_pending(&t, 10000), 10, "its rows are pending");
	set_progress(name(1), 2);
	turn();
	is_int((long long)turn() + (long long)tracker_pending(&t, 10000), 0, "then it goes on from there");
	ok(!t.errmsg[0], "and the alarm is over");
	finish();
}

/* Who moved progress did so for rows to come, which would be taken for loaded (INV-15). */
static void
test_over(void)
{
	struct journal *j;
	int i;

	start("0", "0");
	j = segment(name(1), true);
	tracker_connected(&t, true);
	is_int((long long)turn(), 10, "rows of a live segment");
	set_progress(name(1), 25);
	tracker_passed(&t, &batch);
	turn();
	ok(append(j, clock_us()), "rows come that progress already covers");
	is_int((long long)turn(), 0, "they are not sent");
	turn();
	ok(strstr(t.errmsg, "forebay.recount('01934b1e-") && strstr(t.errmsg, "25 rows"), "with an alarm that says what to type");
	ok(append(j, clock_us()), "more come than it covers");
	is_int((long long)turn(), 0, "none is sent");
	journal_close(&j);
	for (i = 0; i < 6; i++)
		turn();
	ok(t.errmsg[0] && exists(name(1), ".db"), "nor is the segment removed when its writer has gone");
	set_progress(name(1), 10);
	is_int((long long)turn(), 20, "set back, they are sent");
	for (i = 0; i < 6; i++)
		turn();
	ok(!t.errmsg[0] && !exists(name(1), ".db"), "the alarm is over, and the segment goes");

	segment(name(2), false);
	set_progress(name(2), ROWS + 1);
	for (i = 0; i < 6; i++)
		turn();
	ok(t.errmsg[0] && exists(name(2), ".db"), "a segment that ends before its progress is not removed");
	tracker_connected(&t, true);
	for (i = 0; i < 6; i++)
		turn();
	ok(t.errmsg[0] && exists(name(2), ".db"), "nor after another connection");
	finish();
}

int
main(void)
{
	log_init("test_tracker", 0);	/* expected errors are not shown */
	test_collect();
	test_lanes();
	test_remove();
	test_from_the_future();
	test_ask_once_more();
	test_other_end();
	test_apart();
	test_unborn();
	test_damage();
	test_tail_damage();
	test_rows_lost();
	test_last_words();		/* before others use up what may be logged */
	test_foreign();
	test_many();
	test_unclaimed();
	test_grown();
	test_carried();
	test_hindered();
	test_stray();
	test_over();
	return done();
}
