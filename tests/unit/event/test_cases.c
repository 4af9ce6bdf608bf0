/* Runs tests/data/parse.cases through the decoder, one test for each case. */
#include <stdlib.h>

#include "tools/cases.h"
#include "tools/naive_json.h"
#include "tools/tap.h"

static struct decoder *d;
static struct uuid_source ids;

static void
print_lines(struct slice s)
{
	size_t n;

	for (; s.n > 0; s = (struct slice){ s.p + n, s.n - n }) {
		n = (size_t)((const char *)memchr(s.p, '\n', s.n) - s.p) + 1;
		printf("# got: %.*s", (int)n, s.p);
	}
}

static void
run(struct one_case *c)
{
	struct decode_request req = {
		.received_at = 1795218327000000, .key = SLICE(""), .context = SLICE("{}"), .ids = &ids,
	};
	const struct decoded *o;
	struct buf got;
	size_t i, wrong = 0;

	buf_init(&got, 1 << 20);
	if (decode_native(d, buf_slice(&c->input), &req, &o) == ERR_OK) {
		cases_print(&got, o);
		for (i = 0; i < o->n_rows; i++)
			wrong += !naive_storable(naive_judge(o->rows[i].payload.p, o->rows[i].payload.n,
			    case_limits.depth));
	}
	ok(slice_eq(buf_slice(&got), buf_slice(&c->expected)) && wrong == 0, "%s", c->name);
	if (!slice_eq(buf_slice(&got), buf_slice(&c->expected)))
		print_lines(buf_slice(&got));
	if (wrong > 0)
		printf("# %zu rows cannot be stored\n", wrong);
	buf_fini(&got);
}

int
main(void)
{
	const char *top = getenv("top_srcdir");
	struct one_case c;
	char path[1000];
	FILE *f;

	snprintf(path, sizeof path, "%s/tests/data/parse.cases", top ? top : ".");
	f = fopen(path, "re");
	uuid_source_init(&ids);
	if (!f || decoder_new(&d, &case_limits) != ERR_OK) {
		printf("Bail out! no %s\n", path);
		return 1;
	}
	buf_init(&c.input, 1 << 20);
	buf_init(&c.expected, 1 << 16);
	while (cases_next(f, &c))
		run(&c);
	ok(tap_n > 150, "there were %d cases", tap_n);
	fclose(f);
	buf_fini(&c.input);
	buf_fini(&c.expected);
	decoder_free(&d);
	return done();
}
