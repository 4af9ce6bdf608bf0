/* Rows for tests of the journal: row n of a run, made the same each time. */
#ifndef TESTS_ROWS_H
#define TESTS_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event/row.h"

struct made_row { char id[32], payload[256]; };	/* payload: id twice, and 40 bytes */

/* Fills rows[0..n) with events number from, from + 1 ...; texts live in made[]. */
__attribute__((unused)) static void
make_rows(struct row *rows, struct made_row *made, size_t n, int64_t from)
{
	size_t i;

	for (i = 0; i < n; i++) {
		memset(&made[i], 0, sizeof made[i]);
		snprintf(made[i].id, sizeof made[i].id, "id-%lld", (long long)from + (long long)i);
		snprintf(made[i].payload, sizeof made[i].payload,
		    "{\"id\":\"%.31s\",\"type\":\"test\",\"n\":%lld}", made[i].id,
		    (long long)from + (long long)i);
		rows[i] = (struct row){
			.received_at = 1795000000000000 + from + (int64_t)i,
			.time = i % 2 ? CLOCK_UNSET : 1794000000000000,
			.key = SLICE(""), .id = slice_str(made[i].id), .type = SLICE("test"),
			.payload = slice_str(made[i].payload),
			.context = SLICE("{\"protocol\":\"native\"}"),
		};
		memcpy(rows[i].fingerprint.b, made[i].id, 16 < sizeof made[i].id ? 16 : 0);
	}
}

/* A private directory under TMPDIR or /var/tmp, never a tmpfs by choice. */
__attribute__((unused)) static const char *
make_dir(char out[256])
{
	const char *base = getenv("TMPDIR");

	snprintf(out, 256, "%s/forebay-test-XXXXXX", base && *base ? base : "/var/tmp");
	if (!mkdtemp(out)) {
		perror(out);
		exit(1);
	}
	return out;
}

__attribute__((unused)) static void
remove_dir(const char *dir)
{
	char cmd[300];

	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	if (system(cmd) != 0)
		perror(cmd);
}

#endif
