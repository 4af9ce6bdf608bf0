/*
 * Attempts against a real PostgreSQL, each kind of row in each mode:
 *
 *   sink_attempt FLUSHER-CONNINFO OWNER-CONNINFO STATE-DIR
 *
 * Connects as the flusher through the sink, and as the owner to look and to meddle.
 */
#include <libpq-fe.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sink/sink.h"
#include "tools/tap.h"

#define ROWS_MAX	200

static struct sink *sink;
static PGconn *owner;
static struct row rows[ROWS_MAX];
static char ids[ROWS_MAX][UUID_TEXT + 8];
static struct sink_batch batch;
static struct sink_result result;
static struct uuid_source source;

/* The first field of the answer, in static storage. */
static const char *
ask(const char *sql)
{
	static char out[1024];
	PGresult *res = PQexec(owner, sql);

	snprintf(out, sizeof out, "%s", PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");
	if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK) {
		printf("# %s: %s", sql, PQerrorMessage(owner));
		snprintf(out, sizeof out, "error");
	}
	PQclear(res);
	return out;
}

static void
is_sql(const char *sql, const char *want, const char *what)
{
	is_str(ask(sql), want, what);
}

static int64_t
today(void)
{
	return clock_day(clock_us()) * US_PER_DAY;
}

/* Starts a batch; parts follow. */
static void
begin(void)
{
	memset(&batch, 0, sizeof batch);
	batch.rows = rows;
}

/* A part of n events from seq `first` on, in a segment of this name, each with an id
 * and a fingerprint of its own as if the client had given none. */
static struct row *
part(uint8_t segment, int64_t first, size_t n, bool known)
{
	struct sink_part *p = &batch.parts[batch.n_parts++];
	struct row *r = &rows[batch.n_rows];
	size_t i;

	*p = (struct sink_part){ { { 0, 1, segment } }, batch.n_rows, n, known };
	for (i = 0; i < n; i++) {
		r[i] = (struct row){
			.seq = first + (int64_t)i, .head = first, .received_at = today() + US_PER_DAY / 2,
			.time = CLOCK_UNSET, .key = SLICE(""), .type = SLICE("test"), .payload = SLICE("{\"a\":1}"),
			.context = SLICE("{\"protocol\":\"test\"}"), .fingerprint = uuid_v7(&source, clock_us()),
		};
		r[i].id = slice_str(uuid_text(r[i].fingerprint, ids[batch.n_rows + i]));
	}
	batch.n_rows += n;
	return r;
}

static enum err
attempt(enum sink_mode mode, const struct sink_bad *bad, size_t room)
{
	return sink->ops->attempt(sink, &batch, mode, bad, bad != NULL, room, &result);
}

static void
is_err(enum err got, enum err want, const char *what)
{
	if (!is_str(err_name(got), err_name(want), what))
		printf("# %s\n", sink->errmsg);
}

static void
is_result(unsigned loaded, unsigned duplicates, unsigned quarantined, unsigned rejected, const char *what)
{
	if (!ok(result.loaded == loaded && result.duplicates == duplicates &&
	    result.quarantined == quarantined && result.rejected == rejected, "%s", what))
		printf("# loaded %llu, duplicates %llu, quarantined %llu, rejected %llu\n",
		    (unsigned long long)result.loaded, (unsigned long long)result.duplicates,
		    (unsigned long long)result.quarantined, (unsigned long long)result.rejected);
}

static void
reconnect(void)
{
	is_err(sink->ops->connect(sink), ERR_OK, "connected");
}

static void
test_plain(void)
{
	struct row *r;

	begin();
	part(1, 1, 10, false);
	r = part(2, 1, 5, false);
	r[1].kind = r[3].kind = ROW_REJECTION;
	r[1].reason = r[3].reason = SLICE("invalid_json");
	r[1].payload = (struct slice){ "{\"a\0\xff", 6 };
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "plain: two segments, events and rejections");
	is_result(13, 0, 0, 2, "counted");
	is_sql("SELECT count(*) FROM forebay.event", "13", "the events stand");
	is_sql("SELECT encode(payload, 'hex') || ' ' || reason FROM forebay.rejection ORDER BY seq LIMIT 1",
	    "7b226100ff00 invalid_json", "the rejections too, byte for byte");
	is_sql("SELECT string_agg(last_seq || ' ' || loaded || ' ' || rejected || ' ' || node, ',' ORDER BY segment)"
	    " FROM forebay.progress", "10 10 0 here,5 3 2 here", "and progress");
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "the same batch again is trimmed away");
	is_result(0, 0, 0, 0, "and counts nothing");
	begin();
	part(1, 6, 10, true);
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "a batch that overlaps");
	is_result(5, 0, 0, 0, "is trimmed");
	begin();
	part(1, 20, 3, true);
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_DOWN, "a batch beyond a gap is refused");
	reconnect();
}

static void
test_duplicates(void)
{
	struct row *r;
	struct uuid first;

	begin();
	r = part(3, 1, 5, false);
	r[4].fingerprint = r[0].fingerprint;
	first = r[0].fingerprint;
	r[0].payload = SLICE("{\"first\":true}");
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_BUSY, "a duplicate within a batch: not by COPY");
	is_sql("SELECT count(*) FROM forebay.event WHERE segment = '00010300-0000-0000-0000-000000000000'", "0",
	    "nothing of it stands");
	is_err(attempt(SINK_STAGED, NULL, 0), ERR_OK, "staged");
	is_result(4, 1, 0, 0, "counted");
	is_sql("SELECT payload::text FROM forebay.event WHERE seq = 1 AND segment = "
	    "'00010300-0000-0000-0000-000000000000'", "{\"first\": true}", "the first wins");
	begin();
	r = part(3, 6, 3, true);
	r[1].fingerprint = first;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_BUSY, "one of an earlier batch: not by COPY");
	is_err(attempt(SINK_STAGED, NULL, 0), ERR_OK, "staged");
	is_result(2, 1, 0, 0, "counted");
}

/* An Idempotency-Key that is used again: the fingerprint says nothing of the payload. */
static void
test_differing(void)
{
	struct row *r;
	struct uuid key;

	begin();
	r = part(12, 1, 1, false);
	r[0].payload = SLICE("{\"a\": 1, \"b\": 2}");
	key = r[0].fingerprint;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "an event with an Idempotency-Key");
	begin();
	r = part(12, 2, 4, true);
	r[0].fingerprint = r[1].fingerprint = r[2].fingerprint = key;
	r[0].payload = SLICE("{\"b\":2,\"a\":1.0}");
	r[1].payload = SLICE("{\"b\":2,\"a\":2}");
	is_err(attempt(SINK_STAGED, NULL, 0), ERR_OK, "its key three times, and another event");
	is_result(1, 3, 0, 0, "three duplicates");
	is_int((long long)result.differing, 2, "two of which say something else");
	is_int((long long)result.differs, 1, "the first is named");
	begin();
	r = part(12, 6, 1, true);
	r[0].received_at += US_PER_DAY - US_PER_DAY / 2 + 60 * 1000000;
	r[0].id = SLICE("given");
	r[0].fingerprint = key;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "after midnight, by COPY");
	is_result(0, 1, 0, 0, "a duplicate");
	is_int((long long)result.differing, 1, "that says something else, too");
	begin();
	r = part(12, 7, 1, true);
	r[0].received_at += US_PER_DAY - US_PER_DAY / 2 + 60 * 1000000;
	r[0].id = SLICE("given");
	r[0].fingerprint = key;
	r[0].payload = SLICE("{\"a\":\"\\u0000\"}");
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_INVALID, "one that is no jsonb at all is a row's error");
}

/* More than goes into one statement: 15 MB, one event in the first piece and the last. A
 * trigger that leaves rows out is seen by COPY's count (INV-13), and sends it the way of INSERT. */
static void
test_pieces(void)
{
	static char payload[100 * 1024] = "{\"a\":\"";
	struct row *r;
	size_t i;

	memset(payload + 6, 'x', sizeof payload - 8);
	memcpy(payload + sizeof payload - 2, "\"}", 2);
	begin();
	r = part(14, 1, 150, false);
	for (i = 0; i < 150; i++)
		r[i].payload = (struct slice){ payload, sizeof payload };
	r[149].fingerprint = r[0].fingerprint;
	r[75].kind = r[140].kind = ROW_REJECTION;
	r[75].reason = r[140].reason = SLICE("x");
	r[100].subject = SLICE("drop");
	ask("CREATE FUNCTION forebay.mine() RETURNS trigger LANGUAGE plpgsql AS"
	    " $$BEGIN IF NEW.subject = 'drop' THEN RETURN NULL; END IF; RETURN NEW; END$$;"
	    "CREATE TRIGGER mine BEFORE INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION forebay.mine()");
	is_err(attempt(SINK_STAGED, NULL, 1), ERR_OK, "a batch of several pieces");
	is_result(146, 1, 1, 2, "counted");
	ask("DROP TRIGGER mine ON forebay.event; DROP FUNCTION forebay.mine()");
	ask("DELETE FROM forebay.quarantine");
	is_sql("SELECT count(*) || ' ' || min(length(payload::text)) FROM forebay.event"
	    " WHERE segment = '00010e00-0000-0000-0000-000000000000'", "146 102401", "all of it stands");
	ask("DELETE FROM forebay.event WHERE payload ->> 'a' LIKE 'xxxx%';"
	    " DELETE FROM forebay.rejection WHERE segment = '00010e00-0000-0000-0000-000000000000'");
}

/* Rows whose progress was lost stand as themselves: loaded, not doubled. */
static void
test_sent_again(void)
{
	struct row *r;

	begin();
	r = part(13, 1, 2, false);
	r[0].kind = r[1].kind = ROW_REJECTION;
	r[0].reason = r[1].reason = SLICE("x");
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "two rejections");
	ask("DELETE FROM forebay.progress WHERE segment = '00010d00-0000-0000-0000-000000000000'");
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_BUSY, "sent again without their progress");
	is_err(attempt(SINK_STAGED, NULL, 0), ERR_OK, "staged");
	is_result(0, 0, 0, 2, "they are their own, too");
	is_sql("SELECT count(*) FROM forebay.rejection WHERE segment = '00010d00-0000-0000-0000-000000000000'", "2",
	    "and stand once");
	begin();
	part(4, 1, 6, false);
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "six rows");
	ask("DELETE FROM forebay.progress WHERE segment = '00010400-0000-0000-0000-000000000000'");
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_BUSY, "sent again without their progress");
	is_err(attempt(SINK_STAGED, NULL, 0), ERR_OK, "staged");
	is_result(6, 0, 0, 0, "they are their own, no duplicates");
	is_sql("SELECT count(*) FROM forebay.event WHERE segment = '00010400-0000-0000-0000-000000000000'", "6",
	    "and stand once");
	batch.parts[0].known = true;
	ask("DELETE FROM forebay.progress WHERE segment = '00010400-0000-0000-0000-000000000000'");
	is_err(attempt(SINK_STAGED, NULL, 0), ERR_DOWN, "a progress row that was there and has gone is no 0");
	reconnect();
}

static void
test_poison(void)
{
	struct sink_bad bad;
	struct row *r;

	begin();
	r = part(5, 1, 3, false);
	r[1].kind = ROW_REJECTION;
	r[1].reason = SLICE("too_deep");
	r = part(6, 1, 4, false);
	r[2].payload = SLICE("{\"a\":\"\\u0000\"}");
	r[2].type = (struct slice){ "t\xff\0u", 4 };
	is_err(attempt(SINK_PLAIN, NULL, 10), ERR_INVALID, "poison");
	is_str(result.refused.sqlstate, "22021", "its SQLSTATE");
	is_int((long long)result.refused.row, 5, "and the row");
	is_err(attempt(SINK_STAGED, NULL, 10), ERR_INVALID, "staged too");
	is_int((long long)result.refused.row, 5, "and the row");
	bad = result.refused;
	is_err(attempt(SINK_PLAIN, &bad, 0), ERR_FULL, "no room in quarantine");
	is_err(attempt(SINK_PLAIN, &bad, 1), ERR_OK, "with room");
	is_result(5, 0, 1, 1, "all others land");
	is_sql("SELECT reason || ' ' || sqlstate || ' ' || encode(type::bytea, 'hex') || ' ' ||"
	    " convert_from(payload, 'UTF8') FROM forebay.quarantine",
	    "refused 22021 74efbfbdefbfbd75 {\"a\":\"\\u0000\"}", "in quarantine, with its bytes");
	begin();
	r = part(6, 5, 2, true);
	r[1].kind = ROW_REJECTION;
	r[1].reason = SLICE("x");
	r[1].context = SLICE("{");
	is_err(attempt(SINK_PLAIN, NULL, 10), ERR_INVALID, "a rejection that cannot be stored");
	is_int((long long)result.refused.row, 1, "is named");
	bad = result.refused;
	is_err(attempt(SINK_PLAIN, &bad, 1), ERR_OK, "and goes to quarantine");
	is_result(1, 0, 1, 0, "counted");
}

static void
test_clock(void)
{
	struct row *r;
	int i;

	begin();
	r = part(7, 1, 6, false);
	r[0].received_at = 0;
	r[1].received_at = today() + 4000 * US_PER_DAY;
	r[2].received_at = INT64_MIN + 5;
	r[3].received_at = INT64_MAX;
	r[4].received_at = CLOCK_UNSET;
	is_err(attempt(SINK_PLAIN, NULL, 3), ERR_FULL, "days that can have no partition: no room");
	is_err(attempt(SINK_PLAIN, NULL, 5), ERR_OK, "with room");
	is_result(1, 0, 5, 0, "they are quarantined, the other lands");
	is_sql("SELECT string_agg(DISTINCT reason, ',') FROM forebay.quarantine WHERE segment = "
	    "'00010700-0000-0000-0000-000000000000'", "clock", "with the reason");
	begin();
	r = part(7, 7, 100, true);
	for (i = 0; i < 100; i++)
		r[i].received_at = today() - i * US_PER_DAY;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_FULL, "more days than one batch may have");
	batch.n_rows = batch.parts[0].n = 50;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "half of them");
	is_result(50, 0, 0, 0, "each in its partition");
	is_sql("SELECT count(*) > 49 FROM pg_inherits WHERE inhparent = 'forebay.event'::regclass", "t",
	    "that was made for it");
}

static void
test_own_index(void)
{
	char sql[512], day[CLOCK_TEXT];
	struct row *r;

	clock_day_text(clock_day(today()), day);
	snprintf(sql, sizeof sql, "CREATE UNIQUE INDEX mine ON forebay.event_%.4s%.2s%.2s (subject)", day,
	    day + 5, day + 8);
	is_sql(sql, "", "a user's own unique index");
	begin();
	r = part(8, 1, 3, false);
	r[0].subject = r[2].subject = SLICE("same");
	is_err(attempt(SINK_PLAIN, NULL, 5), ERR_BUSY, "a row that hits it: not by COPY");
	is_err(attempt(SINK_STAGED, NULL, 0), ERR_FULL, "staged: no room");
	is_err(attempt(SINK_STAGED, NULL, 1), ERR_OK, "with room");
	is_result(2, 0, 1, 0, "it is quarantined, not under the carpet");
	is_sql("SELECT reason || ' ' || seq FROM forebay.quarantine WHERE segment = "
	    "'00010800-0000-0000-0000-000000000000'", "unique 3", "as what it is");
	ask("DROP INDEX forebay.mine");
	ask("CREATE FUNCTION forebay.mine() RETURNS trigger LANGUAGE plpgsql AS"
	    " $$BEGIN IF NEW.subject = 'drop' THEN RETURN NULL; ELSIF NEW.subject = 'raise' THEN"
	    " RAISE EXCEPTION 'no'; END IF; RETURN NEW; END$$;"
	    "CREATE TRIGGER mine BEFORE INSERT ON forebay.event FOR EACH ROW EXECUTE FUNCTION forebay.mine()");
	begin();
	r = part(8, 4, 3, true);
	r[1].subject = SLICE("drop");
	is_err(attempt(SINK_PLAIN, NULL, 5), ERR_BUSY, "a row that a trigger leaves out: not by COPY");
	is_err(attempt(SINK_STAGED, NULL, 5), ERR_OK, "staged");
	is_result(2, 0, 1, 0, "quarantined");
	begin();
	r = part(8, 7, 3, true);
	r[1].subject = SLICE("raise");
	is_err(attempt(SINK_PLAIN, NULL, 5), ERR_INVALID, "one that a trigger refuses");
	is_str(result.refused.sqlstate, "P0001", "is the row's fault");
	ask("DROP TRIGGER mine ON forebay.event; DROP FUNCTION forebay.mine()");
	ask("ALTER TABLE forebay.event ADD CONSTRAINT mine CHECK (subject <> 'bad') NOT VALID");
	r[1].subject = SLICE("bad");
	is_err(attempt(SINK_PLAIN, NULL, 5), ERR_INVALID, "one that a CHECK refuses");
	is_str(result.refused.sqlstate, "23514", "is the row's fault too");
	ask("ALTER TABLE forebay.event DROP CONSTRAINT mine");
}

static void
test_partition(void)
{
	char sql[512], day[CLOCK_TEXT];
	struct row *r;

	clock_day_text(clock_day(today() - 10 * US_PER_DAY), day);
	snprintf(sql, sizeof sql, "DROP TABLE forebay.event_%.4s%.2s%.2s", day, day + 5, day + 8);
	begin();
	r = part(9, 1, 1, false);
	r[0].received_at = today() - 10 * US_PER_DAY;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "a row of ten days ago");
	is_sql(sql, "", "its partition is dropped");
	begin();
	r = part(9, 2, 1, true);
	r[0].received_at = today() - 10 * US_PER_DAY;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "and made again for the next");
	is_sql(sql, "", "dropped again");
	begin();
	r = part(9, 3, 1, true);
	r[0].received_at = today() - 10 * US_PER_DAY;
	is_err(attempt(SINK_STAGED, NULL, 0), ERR_OK, "staged too");
	snprintf(sql, sizeof sql, "ALTER TABLE forebay.event DETACH PARTITION forebay.event_%.4s%.2s%.2s", day,
	    day + 5, day + 8);
	is_sql(sql, "", "detached");
	begin();
	r = part(9, 4, 1, true);
	r[0].received_at = today() - 10 * US_PER_DAY;
	(void)attempt(SINK_PLAIN, NULL, 0);
	ok(strstr(sink->errmsg, "is not a partition") != NULL, "needs somebody to attach it");
	reconnect();
}

static void
test_midnight(void)
{
	struct row *r;
	struct uuid shared[3];
	int i;

	begin();
	r = part(10, 1, 3, false);
	for (i = 0; i < 3; i++) {
		r[i].received_at = today() - 60 * 1000000;
		r[i].id = SLICE("given");
		shared[i] = r[i].fingerprint;
	}
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "three events just before midnight");
	begin();
	r = part(10, 4, 4, true);
	for (i = 0; i < 3; i++) {
		r[i].received_at = today() + (i < 2 ? 60 : 3700) * INT64_C(1000000);
		r[i].id = SLICE("given");
		r[i].fingerprint = shared[i];
	}
	r[3].received_at = today() + 60 * 1000000;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "sent again after midnight");
	is_result(2, 2, 0, 0, "duplicates within the first hour, events after it");
	begin();
	r = part(10, 8, 3, true);
	r[0].received_at = today() - 60 * 1000000;
	r[1].received_at = today() + 60 * 1000000;
	r[2].received_at = today() + 61 * 1000000;
	r[0].id = r[1].id = r[2].id = SLICE("given");
	r[1].fingerprint = r[0].fingerprint;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "before and after midnight in one batch");
	is_result(2, 1, 0, 0, "is a duplicate, too");
}

static void
test_lost(void)
{
	struct sink_progress p = { { { 0, 1, 11 } }, false, 0 };

	begin();
	part(11, 1, 5, false);
	ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'forebay-flusher'");
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_DOWN, "the server ended the connection");
	reconnect();
	is_err(sink->ops->progress(sink, &p, 1), ERR_OK, "progress is read");
	ok(!p.known && p.last_seq == 0, "nothing was committed");
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "the next attempt");
	is_err(sink->ops->progress(sink, &p, 1), ERR_OK, "progress");
	ok(p.known && p.last_seq == 5, "is where it should be");
}

static bool
stop(void *arg)
{
	(void)arg;
	return true;
}

/* Told to stop, it does not begin another wait, however fast the other side answers. */
static void
test_told_to_stop(void)
{
	reconnect();
	begin();
	part(40, 1, 1, false);
	sink->tick = stop;
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_DOWN, "told to stop it stops, although nothing takes long");
	sink->tick = NULL;
	reconnect();
	is_err(attempt(SINK_PLAIN, NULL, 0), ERR_OK, "and goes on when it is not");
}

static void
test_maintain(void)
{
	enum err e;
	int pieces = 0;

	is_err(sink->ops->maintain(sink), ERR_INVALID, "what the owner has not let go is not dropped");
	ok(strstr(sink->errmsg, "db migrate --retention 20d") != NULL, "and the message says what to type");
	ask("UPDATE forebay.retention SET events = '20 days'");
	while ((e = sink->ops->maintain(sink)) == ERR_BUSY && pieces < 100)
		pieces++;
	is_err(e, ERR_OK, "maintenance comes to an end");
	ok(pieces > 0, "and says when there is more to drop");
	is_sql("SELECT count(*) FROM generate_series(0, 3) n WHERE to_regclass('forebay.event_' ||"
	    " to_char((now() AT TIME ZONE 'UTC')::date + n, 'YYYYMMDD')) IS NOT NULL", "4", "makes days ahead");
	is_sql("SELECT count(*) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE"
	    " inhparent = 'forebay.event'::regclass AND relname < 'event_' || to_char(now() AT TIME ZONE 'UTC' -"
	    " interval '20 days', 'YYYYMMDD')", "0", "and drops those past the retention");
	is_sql("SELECT count(*) > 5 FROM pg_inherits WHERE inhparent = 'forebay.event'::regclass", "t",
	    "but no other");
}

int
main(int argc, char **argv)
{
	struct conf *conf, *keeping;
	char errmsg[512], conninfo[600];
	char *flags[] = { conninfo, NULL };
	char *more[] = { conninfo, (char[]){ "flush.retention=20d" } };

	if (argc != 4) {
		puts("Bail out! usage: sink_attempt FLUSHER-CONNINFO OWNER-CONNINFO STATE-DIR");
		return 64;
	}
	uuid_source_init(&source);
	snprintf(conninfo, sizeof conninfo, "flush.conninfo=%s", argv[1]);
	owner = PQconnectdb(argv[2]);
	if (conf_load(&conf, "/dev/null", flags, 1, errmsg) != ERR_OK ||
	    conf_load(&keeping, "/dev/null", more, 2, errmsg) != ERR_OK ||
	    PQstatus(owner) != CONNECTION_OK || sink_pg_open(&sink, conf, argv[3], "here") != ERR_OK) {
		printf("Bail out! %s %s\n", errmsg, PQerrorMessage(owner));
		return 1;
	}
	ask("SET client_min_messages = error");
	reconnect();
	test_plain();
	test_duplicates();
	test_differing();
	test_pieces();
	test_sent_again();
	test_poison();
	test_clock();
	test_own_index();
	test_partition();
	test_midnight();
	test_lost();
	test_told_to_stop();
	is_sql("SELECT count(*) FROM forebay.progress WHERE last_seq <> loaded + duplicates + quarantined + rejected",
	    "0", "the books balance");
	sink->ops->close(&sink);
	if (sink_pg_open(&sink, keeping, argv[3], "here") == ERR_OK)
		reconnect();
	test_maintain();
	sink->ops->close(&sink);
	PQfinish(owner);
	conf_free(&conf);
	conf_free(&keeping);
	return done();
}
