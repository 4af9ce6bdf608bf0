/* A worker's place in the journal: the order of received_at within a segment. */
#include "base/clock.h"
#include "collect/store.h"
#include "journal/dir.h"
#include "journal/segment.h"
#include "tools/rows.h"
#include "tools/tap.h"

static char dir[256];
static struct store *store;

/* One request of one event, received then, in a turn of its own unless `open`. */
static struct uuid
put(int64_t received_at, bool open)
{
	struct row r;
	struct made_row made;
	struct uuid u = store_segment(store);

	make_rows(&r, &made, 1, received_at);
	r.received_at = received_at;
	if (store_append(store, &r, 1) != ERR_OK || (!open && !store_commit(store)))
		ok(false, "a row is stored");
	if (!open)
		store_rotate(store);
	return u;
}

struct seen { int64_t last; size_t n; bool falls; };

static bool
look(void *arg, const struct row *r)
{
	struct seen *s = arg;

	s->falls = s->falls || (s->n > 0 && r->received_at < s->last);
	s->last = r->received_at;
	s->n++;
	return true;
}

static struct seen
read_back(struct uuid u)
{
	struct seen s = { .n = 0 };
	struct segment *seg;
	char errmsg[256];

	if (segment_open(&seg, dir, u, errmsg) != ERR_OK || segment_read(seg, 0, look, &s) != ERR_OK)
		ok(false, "a segment is read");
	segment_close(&seg);
	return s;
}

int
main(void)
{
	static struct stat_slot slot;
	struct uuid_source ids;
	struct conf *conf;
	char errmsg[512], flag[300], *flags[] = { flag };
	struct uuid a, b;
	struct seen s;

	make_dir(dir);
	snprintf(flag, sizeof flag, "journal.dir=%s", dir);
	uuid_source_init(&ids);
	if (conf_load(&conf, "/dev/null", flags, 1, errmsg) != ERR_OK ||
	    store_open(&store, conf, &slot, &ids) != ERR_OK) {
		printf("Bail out! %s\n", errmsg);
		return 1;
	}
	a = put(5000000, false);
	b = put(5000001, false);
	ok(memcmp(&a, &b, sizeof a) == 0, "a clock that goes on stays in its segment");
	put(5000002, true);
	b = put(1000000, false);
	ok(memcmp(&a, &b, sizeof a) == 0, "a clock that is set back does not split a turn");
	b = put(1000001, false);
	ok(memcmp(&a, &b, sizeof a) != 0, "the next turn begins a segment");
	s = read_back(a);
	ok(s.n == 4 && !s.falls, "within a segment received_at does not fall");
	s = read_back(b);
	ok(s.n == 1 && s.last == 1000001, "and after it the clock's time is kept");
	store_close(&store);
	conf_free(&conf);
	remove_dir(dir);
	return done();
}
