/* Rows as PostgreSQL's binary COPY takes them, byte for byte. */
#include "sink/copy.h"
#include "tools/tap.h"

static struct buf out;

static void
is_bytes(const char *want, size_t n, const char *what)
{
	size_t i;

	if (ok(out.n == n && memcmp(out.p, want, n) == 0, "%s", what))
		return;
	printf("# got %zu bytes:", out.n);
	for (i = 0; i < out.n; i++)
		printf(" %02x", (unsigned char)out.p[i]);
	printf("\n");
}
#define IS_BYTES(lit, what) (is_bytes((lit), sizeof(lit) - 1, (what)), buf_reset(&out))

static struct uuid
uuid_of(const char *text)
{
	struct uuid u;

	if (!uuid_parse(text, strlen(text), &u))
		memset(&u, 0, sizeof u);
	return u;
}

#define FINGERPRINT	"\0\0\0\x10" "\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00"
#define SEGMENT		"\0\0\0\x10" "\x01\x93\x4b\x1e\0\0\x70\0\x80\0\0\0\0\0\0\x01"
#define NUL4		"\xff\xff\xff\xff"

static struct row
sample(void)
{
	return (struct row){
		.seq = 258, .received_at = INT64_C(946684800000001), .time = CLOCK_UNSET,
		.fingerprint = uuid_of("11223344-5566-7788-99aa-bbccddeeff00"),
		.key = SLICE(""), .id = SLICE("a\xc3\xa9"), .payload = SLICE("{\"a\":1}"),
		.context = SLICE("{}"), .reason = SLICE("too_deep"),
	};
}

static void
test_event(void)
{
	struct uuid segment = uuid_of("01934b1e-0000-7000-8000-000000000001");
	struct row r = sample();

	copy_event(&out, &r, segment);
	IS_BYTES("\0\x0c" "\0\0\0\x08" "\0\0\0\0\0\0\0\x01" FINGERPRINT
	    "\0\0\0\0" NUL4 "\0\0\0\x03" "a\xc3\xa9" NUL4 NUL4 NUL4
	    "\0\0\0\x08" "\x01{\"a\":1}" "\0\0\0\x03" "\x01{}" SEGMENT "\0\0\0\x08" "\0\0\0\0\0\0\x01\x02",
	    "an event: 12 columns, absent ones NULL, an empty key empty");
	r.time = INT64_C(946684799000000);
	r.key = SLICE("k");
	r.source = SLICE("s");
	r.type = SLICE("t");
	r.subject = SLICE("u");
	r.context = (struct slice){ NULL, 0 };
	copy_event(&out, &r, segment);
	IS_BYTES("\0\x0c" "\0\0\0\x08" "\0\0\0\0\0\0\0\x01" FINGERPRINT
	    "\0\0\0\x01k" "\0\0\0\x01s" "\0\0\0\x03" "a\xc3\xa9" "\0\0\0\x01t" "\0\0\0\x01u"
	    "\0\0\0\x08" "\xff\xff\xff\xff\xff\xf0\xbd\xc0"
	    "\0\0\0\x08" "\x01{\"a\":1}" NUL4 SEGMENT "\0\0\0\x08" "\0\0\0\0\0\0\x01\x02",
	    "all columns; a time before 2000");
}

static void
test_rejection(void)
{
	struct row r = sample();

	r.payload = (struct slice){ "\0\xff", 2 };
	copy_rejection(&out, &r, uuid_of("01934b1e-0000-7000-8000-000000000001"));
	IS_BYTES("\0\x0c" "\0\0\0\x08" "\0\0\0\0\0\0\0\x01" "\0\0\0\x08too_deep"
	    "\0\0\0\0" NUL4 "\0\0\0\x03" "a\xc3\xa9" NUL4 NUL4 NUL4
	    "\0\0\0\x02\0\xff" "\0\0\0\x03" "\x01{}" SEGMENT "\0\0\0\x08" "\0\0\0\0\0\0\x01\x02",
	    "a rejection: its payload is any bytes");
}

static void
test_frame(void)
{
	copy_header(&out);
	IS_BYTES("PGCOPY\n\377\r\n\0" "\0\0\0\0" "\0\0\0\0", "the header");
	copy_trailer(&out);
	IS_BYTES("\xff\xff", "the trailer");
	copy_uuid_array(&out, 0);
	IS_BYTES("\0\0\0\0" "\0\0\0\0" "\0\0\x0b\x86", "an array of no uuid");
	copy_uuid_array(&out, 1);
	copy_uuid(&out, sample().fingerprint);
	IS_BYTES("\0\0\0\x01" "\0\0\0\0" "\0\0\x0b\x86" "\0\0\0\x01" "\0\0\0\x01" FINGERPRINT, "of one");
}

/* Each column of two rows. */
static void
are_columns(struct buf column[COPY_COLUMNS], const struct slice want[COPY_COLUMNS], const char *what)
{
	size_t i;

	buf_fini(&out);			/* which is_bytes() looks at */
	for (i = 0; i < COPY_COLUMNS; i++) {
		out = column[i];
		is_bytes(want[i].p, want[i].n, what);
		buf_reset(&column[i]);
	}
	buf_init(&out, 4096);
}

#define HEAD(oid)	"\0\0\0\x01" "\0\0\0\0" "\0\0" oid "\0\0\0\x02" "\0\0\0\x01"

static void
test_arrays(void)
{
	struct buf column[COPY_COLUMNS];
	struct uuid segment = uuid_of("01934b1e-0000-7000-8000-000000000001");
	struct row r = sample(), none = sample();
	size_t i;

	for (i = 0; i < COPY_COLUMNS; i++)
		buf_init(&column[i], 4096);
	none.context = none.id = (struct slice){ NULL, 0 };
	copy_event_heads(column, 2);
	copy_event_fields(column, &r, segment);
	copy_event_fields(column, &none, segment);
	are_columns(column, (const struct slice[]){
	    SLICE(HEAD("\x04\xa0") "\0\0\0\x08" "\0\0\0\0\0\0\0\x01" "\0\0\0\x08" "\0\0\0\0\0\0\0\x01"),
	    SLICE(HEAD("\x0b\x86") FINGERPRINT FINGERPRINT), SLICE(HEAD("\0\x19") "\0\0\0\0" "\0\0\0\0"),
	    SLICE(HEAD("\0\x19") NUL4 NUL4), SLICE(HEAD("\0\x19") "\0\0\0\x03" "a\xc3\xa9" NUL4),
	    SLICE(HEAD("\0\x19") NUL4 NUL4), SLICE(HEAD("\0\x19") NUL4 NUL4), SLICE(HEAD("\x04\xa0") NUL4 NUL4),
	    SLICE(HEAD("\x0e\xda") "\0\0\0\x08" "\x01{\"a\":1}" "\0\0\0\x08" "\x01{\"a\":1}"),
	    SLICE(HEAD("\x0e\xda") "\0\0\0\x03" "\x01{}" NUL4), SLICE(HEAD("\x0b\x86") SEGMENT SEGMENT),
	    SLICE(HEAD("\0\x14") "\0\0\0\x08" "\0\0\0\0\0\0\x01\x02" "\0\0\0\x08" "\0\0\0\0\0\0\x01\x02") },
	    "a column of two events");
	copy_rejection_heads(column, 2);
	copy_rejection_fields(column, &r, segment);
	copy_rejection_fields(column, &r, segment);
	are_columns(column, (const struct slice[]){
	    SLICE(HEAD("\x04\xa0") "\0\0\0\x08" "\0\0\0\0\0\0\0\x01" "\0\0\0\x08" "\0\0\0\0\0\0\0\x01"),
	    SLICE(HEAD("\0\x19") "\0\0\0\x08too_deep" "\0\0\0\x08too_deep"),
	    SLICE(HEAD("\0\x19") "\0\0\0\0" "\0\0\0\0"), SLICE(HEAD("\0\x19") NUL4 NUL4),
	    SLICE(HEAD("\0\x19") "\0\0\0\x03" "a\xc3\xa9" "\0\0\0\x03" "a\xc3\xa9"),
	    SLICE(HEAD("\0\x19") NUL4 NUL4), SLICE(HEAD("\0\x19") NUL4 NUL4), SLICE(HEAD("\x04\xa0") NUL4 NUL4),
	    SLICE(HEAD("\0\x11") "\0\0\0\x07" "{\"a\":1}" "\0\0\0\x07" "{\"a\":1}"),
	    SLICE(HEAD("\x0e\xda") "\0\0\0\x03" "\x01{}" "\0\0\0\x03" "\x01{}"),
	    SLICE(HEAD("\x0b\x86") SEGMENT SEGMENT),
	    SLICE(HEAD("\0\x14") "\0\0\0\x08" "\0\0\0\0\0\0\x01\x02" "\0\0\0\x08" "\0\0\0\0\0\0\x01\x02") },
	    "a column of two rejections");
	for (i = 0; i < COPY_COLUMNS; i++)
		buf_fini(&column[i]);
}

static void
test_far_times(void)
{
	struct row r = sample();

	r.received_at = INT64_MIN + 1;
	copy_rejection(&out, &r, r.fingerprint);
	ok(memcmp(out.p + 2, "\0\0\0\x08\x80\0\0\0\0\0\0\x01", 12) == 0,
	    "a time that does not fit becomes one that PostgreSQL refuses");
	buf_reset(&out);
	r.received_at = CLOCK_UNSET;
	copy_rejection(&out, &r, r.fingerprint);
	ok(memcmp(out.p + 2, NUL4, 4) == 0, "no time is NULL");
	buf_reset(&out);
}

int
main(void)
{
	buf_init(&out, 4096);
	test_frame();
	test_event();
	test_rejection();
	test_arrays();
	test_far_times();
	buf_fini(&out);
	return done();
}
