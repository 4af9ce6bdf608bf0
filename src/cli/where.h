/*
 * The search of `forebay where`: in the journal, then in PostgreSQL.
 */
#ifndef CLI_WHERE_H
#define CLI_WHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/uuid.h"
#include "sink/lookup.h"

enum state { UNKNOWN, MISSING, JOURNALED, SETTLED, LOADED, DUPLICATE, QUARANTINED, REJECTED };
extern const char *const where_states[];

struct item {
	struct uuid segment;
	int64_t seq;
	enum state state;
	bool journal;			/* it was found there */
	char received_at[CLOCK_TEXT], since[CLOCK_TEXT], fingerprint[UUID_TEXT];
	char detail[200];
};

struct progress {
	bool known;
	int64_t last_seq, duplicates;
	char updated_at[CLOCK_TEXT];
};

struct search {
	const struct conf *conf;
	const char *what, *conninfo;
	bool json, by_receipt;
	struct item *items;
	size_t n, room;
	struct lookup *lookup;
	struct progress progress;	/* of the segment at hand */
	struct item *from, *to;		/* its items */
	char trouble[1100];		/* what could not be asked, "" when all could */
};

/* conf, what, conninfo, by_receipt and items (those of a receipt) are set by the caller. */
enum err where_ask_journal(struct search *, char errmsg[256]) MUST_CHECK;
/* What it could not find out stands in trouble. */
void where_ask_postgres(struct search *);

#endif
