/* Counts and shares by key: shared, bounded, and made good with time. */
#include <stdio.h>
#include <string.h>

#include "base/tally.h"
#include "tools/tap.h"
#include "tools/tmp.h"

#define SEC	INT64_C(1000000)

static struct tally mine, other;	/* two workers */

static void
test_entries(void)
{
	struct tally_entry *e = tally_of(&mine, SLICE("web")), *same;
	size_t i = 0, n = 0;

	ok(e == tally_of(&mine, SLICE("web")), "a key has one entry");
	ok(e != tally_of(&mine, SLICE("web-2")) && e != tally_of(&mine, SLICE("")), "others have others");
	tally_add(&e->times_unread, 3);
	same = tally_of(&other, SLICE("web"));
	tally_add(&same->times_unread, 4);
	is_int((long long)e->times_unread, 7, "two workers count in one");
	while (tally_next(&other, &i))
		n++;
	is_int((long long)n, 4, "all are found, and the entry of the rest");
}

static void
test_many(void)
{
	char name[32];
	size_t i, rest = 0, wrong = 0;

	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "key-%zu", i);
		rest += strcmp(tally_of(&mine, slice_str(name))->name, name) != 0;
	}
	ok(rest > 10000 - TALLY_KEYS && rest < 10000 - TALLY_KEYS / 2, "of 10,000 keys %zu share an entry", rest);
	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "key-%zu", i);
		wrong += strcmp(tally_of(&mine, slice_str(name))->name, name) != 0;
	}
	is_int((long long)wrong, (long long)rest, "the others keep theirs");
	is_str(tally_of(&mine, SLICE("web"))->name, "web", "and so do those of before");
}

static void
test_share(void)
{
	uint64_t share = 0;
	int64_t most = 10 * SEC;

	is_int(tally_owed(&share, 5 * SEC, most), 0, "nothing is owed at first");
	tally_use(&share, 5 * SEC, 2 * SEC, most);
	tally_use(&share, 5 * SEC, SEC / 2, most);
	is_int(tally_owed(&share, 5 * SEC, most), 5 * SEC / 2, "what was used is owed");
	is_int(tally_owed(&share, 7 * SEC, most), SEC / 2, "less of it as time passes");
	is_int(tally_owed(&share, 9 * SEC, most), 0, "until it is made good");
	tally_use(&share, 9 * SEC, SEC, most);
	is_int(tally_owed(&share, 9 * SEC, most), SEC, "nobody saves for later");
	tally_use(&share, 10 * SEC, 8 * SEC, most);
	tally_use(&share, 10 * SEC, 8 * SEC, most);
	is_int(tally_owed(&share, 10 * SEC, most), most, "two that were let in at once owe as much as can be owed");
	is_int(tally_owed(&share, 10 * SEC - 1, most), most, "also by a clock that was read before theirs");
	tally_use(&share, 10 * SEC - 1, SEC, most);
	is_int(tally_owed(&share, 11 * SEC, most), 9 * SEC - 1, "and no more");
	share = (uint64_t)(1000 * SEC);
	is_int(tally_owed(&share, 5 * SEC, most), 0, "what the clock of another boot says is not owed");
	tally_use(&share, 5 * SEC, SEC, most);
	is_int(tally_owed(&share, 5 * SEC, most), SEC, "and is forgotten");
}

int
main(void)
{
	char dir[TMP_PATH];
	const struct tally_entry *e;
	struct tally none;
	size_t i = 0;

	tmp_make(dir);
	ok(tally_read(&none, dir) == ERR_DOWN && !none.entries, "where there is none, none is read");
	ok(tally_open(&mine, dir) == ERR_OK && tally_open(&other, dir) == ERR_OK, "two workers open it");
	test_entries();
	test_many();
	test_share();
	tally_close(&mine);
	tally_close(&other);
	ok(tally_read(&mine, dir) == ERR_OK, "it is there for a reader");
	while ((e = tally_next(&mine, &i)) && strcmp(e->name, "web") != 0)
		;
	ok(e && e->times_unread == 7, "with its counts");
	tally_close(&mine);
	tmp_remove(dir);
	return done();
}
