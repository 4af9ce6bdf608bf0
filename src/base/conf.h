/*
 * Settings, from one table (src/params.def): defaults, then the file, then the
 * environment (FOREBAY_SECTION_KEY), then flags (-o section.key=value). A struct
 * conf does not change once loaded; a reload makes a new one.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define CONF_PATH	"/etc/forebay/forebay.conf"	/* FOREBAY_CONF names another */

enum conf_type { CONF_UINT, CONF_BYTES, CONF_DURATION, CONF_BOOL, CONF_STRING, CONF_ENUM };

struct conf {
#define CONF_C_UINT	uint64_t
#define CONF_C_BYTES	uint64_t
#define CONF_C_DURATION	int64_t		/* milliseconds */
#define CONF_C_BOOL	bool
#define CONF_C_STRING	char *		/* owned, never NULL */
#define CONF_C_ENUM	char *
#define PARAM(section, key, type, def, min, max, doc) CONF_C_##type section##_##key;
#include "params.def"
#undef PARAM
};

/* One row of the table, for those who print it. */
struct conf_param {
	const char *section, *key, *def, *doc;
	enum conf_type type;
	uint64_t min, max;
	size_t offset;
};
extern const struct conf_param conf_params[];
extern const size_t conf_n_params;

/*
 * Loads the settings. path NULL: FOREBAY_CONF, else CONF_PATH, which may be
 * absent; a file that is named must be there. flags: n "section.key=value"
 * words. On ERR_INVALID errmsg (512 bytes) says "file:line: what was expected".
 */
enum err conf_load(struct conf **, const char *path, char *const flags[], int n,
		   char errmsg[512]) MUST_CHECK;
void conf_free(struct conf **);

/* The value in the form the file takes, in the caller's buffer. */
const char *conf_value(const struct conf *, const struct conf_param *, char *out, size_t n);
/* Writes the example file: every setting with its documentation and default. */
void conf_example(FILE *);

/* A duration as the file takes it, into milliseconds; false: it is none, or more than ten years. */
bool conf_duration(const char *text, int64_t *ms);

/* What main() of every program does with its arguments: -c FILE, -o s.k=v (may
 * repeat). Exits 78 with the message on a bad setting. */
struct conf_args { const char *path; char *flags[64]; int n; };
bool conf_arg(struct conf_args *, int opt, char *optarg);	/* false: not one of ours */
struct conf *conf_load_or_exit(const struct conf_args *);

#endif
