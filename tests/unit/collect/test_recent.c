/* The table of requests that named themselves: what it knows, and for how long. */
#include "collect/recent.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static struct sha256 *sha;
static struct recent *mine, *other;	/* two workers */

static struct recent_request
named(int64_t day, const char *key, const char *idempotency_key, const char *body)
{
	struct recent_request q = { 0 };

	if (recent_name(sha, day, slice_str(key), slice_str(idempotency_key), slice_str(body), &q) != ERR_OK)
		ok(false, "named");
	return q;
}

static void
put(struct recent_request q)
{
	recent_note(mine, &q);
	recent_end_turn(mine, true);
}

static enum recent_found
look(struct recent_request q)
{
	return recent_look(other, &q);
}

static void
test_known(void)
{
	struct recent_request q = named(20000, "k", "i", "{}");

	is_int(look(q), RECENT_NEW, "an empty table knows none");
	put(q);
	is_int(look(q), RECENT_SAME, "another worker knows it");
	is_int(look(named(20000, "k", "i", "{ }")), RECENT_OTHER, "by another body");
	is_int(look(named(20001, "k", "i", "{ }")), RECENT_NEW, "not on another day");
	is_int(look(named(20000, "l", "i", "{ }")), RECENT_NEW, "not by another write key");
	is_int(look(named(20000, "k", "j", "{ }")), RECENT_NEW, "nor by another key of the request");
	is_int(look(named(20000, "ki", "", "{ }")), RECENT_NEW, "whose bytes do not run together");
}

static void
test_bounds(void)
{
	struct recent_request q = { .set = 7, .body = 1 };
	unsigned known = 0;

	for (q.name = 1; q.name <= 100; q.name++)
		put(q);
	for (q.name = 1; q.name <= 100; q.name++)
		known += look(q) == RECENT_SAME;
	is_int(known, 4, "of 100 in one place it knows four");
	q.name = 100;
	is_int(look(q), RECENT_SAME, "the newest is one of them");
	q.set = 8;
	is_int(look(q), RECENT_NEW, "and its neighbour holds none");
}

static void
test_turns(void)
{
	struct recent_request q = named(20000, "k", "turn", "{}"), other_body = named(20000, "k", "turn", "[{}]");
	unsigned known = 0;

	recent_note(mine, &q);
	is_int(look(q), RECENT_NEW, "before its turn has ended nobody knows it");
	recent_end_turn(mine, false);
	is_int(look(other_body), RECENT_NEW, "nor when it was not stored");
	recent_end_turn(mine, true);
	is_int(look(q), RECENT_NEW, "whatever the next turn holds");
	recent_note(mine, &q);
	recent_note(mine, &other_body);
	recent_note(mine, &q);
	recent_end_turn(mine, true);
	is_int(look(q), RECENT_SAME, "of two bodies in one turn one is known");
	is_int(look(other_body), RECENT_SAME, "and so is the other");
	is_int(look(named(20000, "k", "turn", "{ }")), RECENT_OTHER, "and a third is refused");
	for (q.set = q.name = 1; q.set <= 2 * RECENT_NOTED; q.set++, q.name++)
		recent_note(mine, &q);
	recent_end_turn(mine, true);
	for (q.set = q.name = 1; q.set <= 2 * RECENT_NOTED; q.set++, q.name++)
		known += look(q) == RECENT_SAME;
	is_int(known, RECENT_NOTED, "a turn that is longer than any is noted in part");
}

int
main(void)
{
	char dir[TMP_PATH];

	tmp_make(dir);
	ok(sha256_new(&sha) == ERR_OK && recent_open(&mine, dir) == ERR_OK &&
	    recent_open(&other, dir) == ERR_OK, "two workers open it");
	test_known();
	test_bounds();
	test_turns();
	recent_close(&mine);
	recent_close(&mine);
	ok(recent_open(&mine, dir) == ERR_OK, "it is opened again");
	is_int(look(named(20000, "k", "i", "{}")), RECENT_SAME, "and what was known is known");
	recent_close(&other);
	ok(recent_open(&other, "/nowhere") == ERR_IO && !other, "where there is no directory there is none");
	recent_close(&mine);
	sha256_free(&sha);
	tmp_remove(dir);
	return done();
}
