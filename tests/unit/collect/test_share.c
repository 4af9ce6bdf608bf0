/* What a write key may take: its events a second, and its part of the kept rejections. */
#include <stdio.h>
#include <string.h>

#include "collect/share.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static struct conf conf = {
	.collect_events = 10000, .collect_key_events_per_s = 1000, .collect_rejections_per_min = 100,
};
static struct share mine, other;	/* two workers */

static void
test_events(void)
{
	int wait;

	is_int(share_wait(&mine, SLICE("loud")), 0, "who has sent nothing may send");
	share_took(&mine, SLICE("loud"), 1000, 0);
	is_int(share_wait(&mine, SLICE("loud")), 0, "and go on after what a second allows");
	share_took(&mine, SLICE("loud"), 5000, 0);
	wait = share_wait(&other, SLICE("loud"));
	ok(wait == 5 || wait == 6, "what is over it is waited for, by each worker (%d)", wait);
	is_int(share_wait(&other, SLICE("quiet")), 0, "another key is not held up");
	share_took(&other, SLICE("quiet"), 10000, 0);
	share_took(&mine, SLICE("quiet"), 10000, 0);
	wait = share_wait(&mine, SLICE("quiet"));
	ok(wait == 10 || wait == 11, "two of the largest requests at once do not lift the bound (%d)", wait);
}

static void
test_rejections(void)
{
	unsigned i, kept = 0;

	for (i = 0; i < 100; i++)
		kept += share_rejection(&mine, SLICE("loud"));
	ok(kept == 50 || kept == 51, "of one key's rejections half are kept (%u)", kept);
	ok(share_rejection(&mine, SLICE("quiet")), "and those of another");
}

/* More keys than the table holds. */
static void
test_many(void)
{
	char name[32];
	unsigned i, held = 0;

	for (i = 0; i < 3 * TALLY_KEYS; i++) {
		snprintf(name, sizeof name, "key-%u", i);
		held += share_wait(&mine, slice_str(name)) > 0;
		share_took(&mine, slice_str(name), 5000, 0);
	}
	is_int(held, 0, "no key of many waits for what others sent");
}

int
main(void)
{
	char dir[TMP_PATH];

	tmp_make(dir);
	conf.run_dir = dir;
	share_open(&mine, &conf);
	share_open(&other, &conf);
	test_events();
	test_rejections();
	test_many();
	share_close(&mine);
	share_close(&other);
	tmp_remove(dir);
	return done();
}
