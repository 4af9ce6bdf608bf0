/*
 * decode OUT.copy cases FILE | decode OUT.copy FILE...
 * Runs bodies (the cases of parse.cases, or whole files) through the decoder. On
 * stdout a line for each event: "A", "-" and its payload, or "R", the code of its
 * refusal and its bytes, as PostgreSQL's COPY takes them; what was accepted goes to
 * OUT.copy in COPY's binary form: id, type, source, subject, payload.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "tools/cases.h"

static const struct limits usual = { .event_bytes = 1 << 20, .events = 10000, .depth = 64 };
static struct uuid_source ids;
static FILE *copy;

static void
print(const char *verdict, const char *code, struct slice s)
{
	size_t i;

	printf("%s\t%s\t\\\\x", verdict, code);
	for (i = 0; i < s.n; i++)
		printf("%02x", (unsigned char)s.p[i]);
	putchar('\n');
}

static void
put_field(const char *version, struct slice s)
{
	uint32_t n = htonl(s.p ? (uint32_t)(s.n + strlen(version)) : UINT32_MAX);

	fwrite(&n, sizeof n, 1, copy);
	if (!s.p)
		return;
	fputs(version, copy);
	fwrite(s.p, 1, s.n, copy);
}

static void
put_row(const struct row *r)
{
	uint16_t fields = htons(5);

	fwrite(&fields, sizeof fields, 1, copy);
	put_field("", r->id);
	put_field("", r->type);
	put_field("", r->source);
	put_field("", r->subject);
	put_field("\1", r->payload);
}

static void
run(const struct limits *limits, struct slice body)
{
	struct decode_request req = {
		.received_at = 1795218327000000, .key = SLICE(""), .context = SLICE("{}"), .ids = &ids,
	};
	size_t i, bom = body.n >= 3 && memcmp(body.p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
	const struct decoded *o;
	struct decoder *d;

	CHECK(decoder_new(&d, limits) == ERR_OK && decode_native(d, body, &req, &o) == ERR_OK);
	for (i = 0; i < o->n_rows; i++) {
		print("A", "-", o->rows[i].payload);
		put_row(&o->rows[i]);
	}
	for (i = 0; i < o->n_refused && i < DECODE_ERRORS_MAX; i++)
		print("R", refusals[o->errors[i].code].code, o->errors[i].raw);
	if (o->whole != REFUSE_NONE)
		print("R", refusals[o->whole].code, (struct slice){ body.p + bom, body.n - bom });
	decoder_free(&d);
}

static void
run_cases(const char *path)
{
	FILE *f = fopen(path, "re");
	struct one_case c;

	CHECK(f);
	buf_init(&c.input, 1 << 20);
	buf_init(&c.expected, 1 << 16);
	while (cases_next(f, &c))
		run(&case_limits, buf_slice(&c.input));
	buf_fini(&c.input);
	buf_fini(&c.expected);
	fclose(f);
}

static void
run_file(const char *path)
{
	FILE *f = fopen(path, "re");
	struct buf b;
	size_t n;

	CHECK(f);
	buf_init(&b, 1 << 24);
	do {
		CHECK(buf_room(&b, 65536));
		n = fread(b.p + b.n, 1, 65536, f);
		b.n += n;
	} while (n > 0);
	run(&usual, buf_slice(&b));
	buf_fini(&b);
	fclose(f);
}

int
main(int argc, char **argv)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";	/* 19 bytes with the NUL */
	int i;

	if (argc < 3 || !(copy = fopen(argv[1], "we")))
		return 64;
	uuid_source_init(&ids);
	fwrite(head, 1, 19, copy);
	if (strcmp(argv[2], "cases") == 0 && argc == 4)
		run_cases(argv[3]);
	else
		for (i = 2; i < argc; i++)
			run_file(argv[i]);
	fwrite("\377\377", 1, 2, copy);
	return fclose(copy) == 0 && fflush(stdout) == 0 ? 0 : 74;
}
