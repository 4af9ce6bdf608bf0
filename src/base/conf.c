#include "base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"

extern char **environ;

#if defined(__GNUC__) && !defined(__clang__)
/* gcc 12 loses sight of what is stored at an offset in a struct conf. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

const struct conf_param conf_params[] = {
#define PARAM(section, key, type, def, min, max, doc) \
	{ #section, #key, def, doc, CONF_##type, min, max, offsetof(struct conf, section##_##key) },
#include "params.def"
#undef PARAM
};
const size_t conf_n_params = ARRAY_SIZE(conf_params);

struct unit { const char *name; uint64_t factor; };
static const struct unit byte_units[] = {
	{ "", 1 }, { "K", 1024 }, { "M", 1048576 }, { "G", 1073741824 }, { NULL, 0 },
};
static const struct unit time_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "", 1000 }, { "m", 60000 }, { "h", 3600000 },
	{ "d", 86400000 }, { NULL, 0 },
};
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };

static const struct unit *
units_of(enum conf_type type)
{
	return type == CONF_BYTES ? byte_units : type == CONF_DURATION ? time_units : no_units;
}

static const struct conf_param *
find(const char *section, size_t sn, const char *key, size_t kn)
{
	size_t i;

	for (i = 0; i < conf_n_params; i++)
		if (strlen(conf_params[i].section) == sn && strlen(conf_params[i].key) == kn &&
		    memcmp(conf_params[i].section, section, sn) == 0 &&
		    memcmp(conf_params[i].key, key, kn) == 0)
			return &conf_params[i];
	return NULL;
}

static bool
parse_number(const struct conf_param *p, const char *text, uint64_t *out)
{
	const struct unit *u;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	for (u = units_of(p->type); u->name; u++)
		if (strcmp(u->name, end) == 0)
			return !__builtin_mul_overflow(*out, u->factor, out) &&
			    *out >= p->min && *out <= p->max;
	return false;
}

bool
conf_duration(const char *text, int64_t *ms)
{
	static const struct conf_param any = { .type = CONF_DURATION, .max = UINT64_C(315360000000) };
	uint64_t v;

	if (!parse_number(&any, text, &v))
		return false;
	*ms = (int64_t)v;
	return true;
}

/* Is text one of the words before the colon of "a|b|c: ..."? */
static bool
parse_enum(const struct conf_param *p, const char *text)
{
	size_t n = strlen(text);
	const char *w = p->doc, *stop = strchr(p->doc, ':');

	for (; n > 0 && w < stop; w += strcspn(w, "|:") + 1)
		if (strcspn(w, "|:") == n && memcmp(w, text, n) == 0)
			return true;
	return false;
}

static bool
set_string(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return false;
	free(*field);
	*field = copy;
	return true;
}

static bool
set(struct conf *c, const struct conf_param *p, const char *text)
{
	void *field = (char *)c + p->offset;
	uint64_t v = 0;

	switch (p->type) {
	case CONF_BOOL:
		if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
			return false;
		*(bool *)field = text[0] == 'y';
		return true;
	case CONF_STRING:
		return strlen(text) >= p->min && strlen(text) <= p->max && set_string(field, text);
	case CONF_ENUM:
		return parse_enum(p, text) && set_string(field, text);
	case CONF_DURATION:
		if (!parse_number(p, text, &v))
			return false;
		*(int64_t *)field = (int64_t)v;
		return true;
	case CONF_UINT:
	case CONF_BYTES:
		if (!parse_number(p, text, &v))
			return false;
		*(uint64_t *)field = v;
		return true;
	}
	return false;
}

static void
expected(const struct conf_param *p, char *out, size_t n)
{
	static const char *const what[] = {
		[CONF_UINT] = "a whole number", [CONF_BYTES] = "bytes (K, M or G may follow)",
		[CONF_DURATION] = "a duration (ms, s, m, h or d may follow), in milliseconds",
	};

	switch (p->type) {
	case CONF_BOOL:
		snprintf(out, n, "yes or no");
		break;
	case CONF_ENUM:
		snprintf(out, n, "%.*s", (int)strcspn(p->doc, ":"), p->doc);
		break;
	case CONF_STRING:
		snprintf(out, n, "text of %llu to %llu characters",
		    (unsigned long long)p->min, (unsigned long long)p->max);
		break;
	default:
		snprintf(out, n, "%s from %llu to %llu", what[p->type],
		    (unsigned long long)p->min, (unsigned long long)p->max);
	}
}

/* where: "file:line", the variable's or the flag's name */
static enum err
assign(struct conf *c, const char *where, const struct conf_param *p, const char *text,
       char errmsg[512])
{
	char want[160];

	if (set(c, p, text))
		return ERR_OK;
	expected(p, want, sizeof want);
	snprintf(errmsg, 512, "%.200s: bad value for %s.%s: \"%.60s\"; expected %s",
	    where, p->section, p->key, text, want);
	return ERR_INVALID;
}

static char *
trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r\n");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return s;
}

static enum err
file_line(struct conf *c, char *line, char section[32], const char *where, char errmsg[512])
{
	const struct conf_param *p;
	char *s = trim(line), *eq;

	if (*s == '\0' || *s == '#')
		return ERR_OK;
	if (*s == '[') {
		eq = strchr(s, ']');
		if (!eq || eq[1] != '\0' || (size_t)(eq - s) > 31) {
			snprintf(errmsg, 512, "%.200s: expected [section]", where);
			return ERR_INVALID;
		}
		*eq = '\0';
		memcpy(section, s + 1, (size_t)(eq - s));	/* with the NUL */
		return ERR_OK;
	}
	eq = strchr(s, '=');
	if (!eq) {
		snprintf(errmsg, 512, "%.200s: expected key = value", where);
		return ERR_INVALID;
	}
	*eq = '\0';
	s = trim(s);
	p = find(section, strlen(section), s, strlen(s));
	if (!p) {
		snprintf(errmsg, 512, "%.200s: unknown key \"%.60s\" in section [%s]; "
		    "`forebay check-config --example` lists them all", where, s, section);
		return ERR_INVALID;
	}
	return assign(c, where, p, trim(eq + 1), errmsg);
}

static enum err
load_file(struct conf *c, const char *path, bool must, char errmsg[512])
{
	char line[2200], section[32] = "", where[320];
	enum err e = ERR_OK;
	FILE *f = fopen(path, "re");
	int n;

	if (!f) {
		if (!must && errno == ENOENT)
			return ERR_OK;
		snprintf(errmsg, 512, "%.300s: %s%s", path, strerror(errno), errno != EACCES ? "" :
		    "; root and members of group forebay may read it");
		return ERR_INVALID;
	}
	for (n = 1; e == ERR_OK && fgets(line, sizeof line, f); n++) {
		snprintf(where, sizeof where, "%.300s:%d", path, n);
		if (strlen(line) == sizeof line - 1) {
			snprintf(errmsg, 512, "%s: the line is too long", where);
			e = ERR_INVALID;
		} else {
			e = file_line(c, line, section, where, errmsg);
		}
	}
	if (e == ERR_OK && ferror(f)) {
		snprintf(errmsg, 512, "%.300s: cannot be read", path);
		e = ERR_INVALID;
	}
	fclose(f);
	return e;
}

/* FOREBAY_SECTION_KEY; a name whose SECTION is not ours belongs to somebody else */
static enum err
load_env(struct conf *c, char errmsg[512])
{
	char name[96];
	size_t i, k, n, sn;
	bool ours;

	for (i = 0; environ && environ[i]; i++) {
		n = strcspn(environ[i], "=");
		if (strncmp(environ[i], "FOREBAY_", 8) != 0 || n >= sizeof name || environ[i][n] != '=')
			continue;
		for (k = 0; k < n; k++)
			name[k] = (char)tolower((unsigned char)environ[i][k]);
		name[n] = '\0';
		ours = false;
		for (k = 0; k < conf_n_params; k++) {
			sn = strlen(conf_params[k].section);
			if (strncmp(name + 8, conf_params[k].section, sn) != 0 || name[8 + sn] != '_')
				continue;
			ours = true;
			if (strcmp(name + 8 + sn + 1, conf_params[k].key) == 0)
				break;
		}
		if (!ours)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)n, environ[i]);
		if (k == conf_n_params) {
			snprintf(errmsg, 512, "%s: there is no such setting", name);
			return ERR_INVALID;
		}
		if (assign(c, name, &conf_params[k], environ[i] + n + 1, errmsg) != ERR_OK)
			return ERR_INVALID;
	}
	return ERR_OK;
}

static enum err
load_flag(struct conf *c, const char *flag, char errmsg[512])
{
	const char *eq = strchr(flag, '='), *dot = strchr(flag, '.');
	const struct conf_param *p = NULL;
	char where[128];

	snprintf(where, sizeof where, "-o %.100s", flag);
	if (eq && dot && dot < eq)
		p = find(flag, (size_t)(dot - flag), dot + 1, (size_t)(eq - dot - 1));
	if (!p) {
		snprintf(errmsg, 512, "%s: expected section.key=value with a key that exists", where);
		return ERR_INVALID;
	}
	return assign(c, where, p, eq + 1, errmsg);
}

/* Relations between settings that no single range can say. */
static enum err
cross_check(const struct conf *c, char errmsg[512])
{
	if (c->collect_event_bytes > c->collect_inflated_bytes) {
		snprintf(errmsg, 512, "collect.event_bytes is larger than collect.inflated_bytes");
		return ERR_INVALID;
	}
	if (c->journal_keep_min > c->journal_keep) {
		snprintf(errmsg, 512, "journal.keep_min is longer than journal.keep");
		return ERR_INVALID;
	}
	return ERR_OK;
}

enum err
conf_load(struct conf **out, const char *path, char *const flags[], int n, char errmsg[512])
{
	struct conf *c = calloc(1, sizeof *c);
	bool named = path || getenv("FOREBAY_CONF");
	enum err e = ERR_OK;
	size_t i;
	int k;

	*out = NULL;
	errmsg[0] = '\0';
	if (!c)
		return ERR_NOMEM;
	if (!path)
		path = named ? getenv("FOREBAY_CONF") : CONF_PATH;
	for (i = 0; e == ERR_OK && i < conf_n_params; i++)
		e = assign(c, "default", &conf_params[i], conf_params[i].def, errmsg);
	if (e == ERR_OK)
		e = load_file(c, path, named, errmsg);
	if (e == ERR_OK)
		e = load_env(c, errmsg);
	for (k = 0; e == ERR_OK && k < n; k++)
		e = load_flag(c, flags[k], errmsg);
	if (e == ERR_OK)
		e = cross_check(c, errmsg);
	if (e != ERR_OK)
		conf_free(&c);
	*out = c;
	return e;
}

void
conf_free(struct conf **cp)
{
	size_t i;

	if (!*cp)
		return;
	for (i = 0; i < conf_n_params; i++)
		if (conf_params[i].type == CONF_STRING || conf_params[i].type == CONF_ENUM)
			free(*(char **)((char *)*cp + conf_params[i].offset));
	free(*cp);
	*cp = NULL;
}

/* The largest unit that leaves no rest, so that 67108864 prints as 64M. */
static void
format_number(enum conf_type type, uint64_t v, char *out, size_t n)
{
	const struct unit *u, *best = NULL;

	for (u = units_of(type); u->name; u++)
		if (v > 0 && v % u->factor == 0 && (!best || u->factor > best->factor))
			best = u;
	if (best)
		snprintf(out, n, "%llu%s", (unsigned long long)(v / best->factor), best->name);
	else
		snprintf(out, n, "0");
}

const char *
conf_value(const struct conf *c, const struct conf_param *p, char *out, size_t n)
{
	const void *field = (const char *)c + p->offset;

	switch (p->type) {
	case CONF_BOOL:
		snprintf(out, n, "%s", *(const bool *)field ? "yes" : "no");
		break;
	case CONF_STRING:
	case CONF_ENUM:
		snprintf(out, n, "%s", *(char *const *)field);
		break;
	case CONF_DURATION:
		format_number(p->type, (uint64_t)*(const int64_t *)field, out, n);
		break;
	default:
		format_number(p->type, *(const uint64_t *)field, out, n);
	}
	return out;
}

static void
example_doc(FILE *f, const char *doc)
{
	size_t n, room = 76;

	while (*doc) {
		n = strlen(doc);
		if (n > room)
			for (n = room; n > 0 && doc[n] != ' '; n--)
				;
		fprintf(f, "# %.*s\n", (int)n, doc);
		doc += n;
		doc += strspn(doc, " ");
	}
}

void
conf_example(FILE *f)
{
	const char *section = "";
	size_t i;

	fprintf(f, "# Settings of forebay. Every line shows the default; remove the # to change it.\n"
	    "# The environment (FOREBAY_SECTION_KEY) wins over this file, flags\n"
	    "# (-o section.key=value) win over both. `forebay check-config` checks it.\n");
	for (i = 0; i < conf_n_params; i++) {
		if (strcmp(section, conf_params[i].section) != 0)
			fprintf(f, "\n[%s]\n", section = conf_params[i].section);
		fputc('\n', f);
		example_doc(f, conf_params[i].doc);
		fprintf(f, "#%s = %s\n", conf_params[i].key, conf_params[i].def);
	}
}

bool
conf_arg(struct conf_args *a, int opt, char *arg)
{
	if (opt == 'c') {
		a->path = arg;
		return true;
	}
	if (opt != 'o')
		return false;
	if (a->n == (int)ARRAY_SIZE(a->flags)) {
		fprintf(stderr, "more than %d settings on the command line\n", a->n);
		exit(EX_USAGE);
	}
	a->flags[a->n++] = arg;
	return true;
}

struct conf *
conf_load_or_exit(const struct conf_args *a)
{
	struct conf *c;
	char errmsg[512];
	enum err e = conf_load(&c, a->path, a->flags, a->n, errmsg);

	if (e == ERR_OK)
		return c;
	fprintf(stderr, "%s\n", errmsg[0] ? errmsg : err_name(e));
	exit(e == ERR_INVALID ? EX_CONFIG : err_exit(e));
}
