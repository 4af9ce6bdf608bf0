/*
 * Prints the tables of src/ for the documents: what is said of a code, a setting
 * or a metric is written once, there. doc/fill puts it into the files.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/conf.h"
#include "base/stat.h"
#include "event/refusal.h"

#define WIDTH	76

/* One table cell of Markdown. */
static void
md(const char *text)
{
	for (; *text; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

static void
errors(void)
{
	size_t i;
	int status;

	puts("| code | status | message | send again? |\n|---|---|---|---|");
	for (i = REFUSE_NONE + 1; i < REFUSE_COUNT; i++) {
		status = refusals[i].status;
		printf("| `%s` | %d | ", refusals[i].code, status);
		md(refusals[i].message);
		printf(" | %s |\n", status == 503 ? "yes, the same request" :
		    status == 429 ? "yes, later" : "no");
	}
}

/* Up to the labels. */
static int
family(const char *metric)
{
	return (int)strcspn(metric, "{");
}

static void
metric(const char *name, const char *label, const char *type, const char *doc)
{
	int n = (int)strcspn(label, "=");
	const char *quote = n ? "`" : "";

	printf("| `%.*s` | %s | %s%.*s%s | ", family(name), name, type, quote, n, label, quote);
	md(doc);
	puts(" |");
}

static void
metric_rows(const struct stat_info *infos, size_t n)
{
	const char *name, *last = "", *label;
	size_t i;

	for (i = 0; i < n; last = infos[i++].metric) {
		name = infos[i].metric;
		if (family(name) == family(last) && strncmp(name, last, (size_t)family(name)) == 0)
			continue;
		label = strchr(name, '{');
		metric(name, label ? label + 1 : "", infos[i].kind[0] == 'C' ? "counter" :
		    infos[i].kind[0] == 'G' ? "gauge" : "histogram", infos[i].doc);
	}
}

static void
metrics(void)
{
	static const struct { const char *metric, *label, *doc; } measures[] = {
#define MEASURE(name, metric, label, doc) { metric, label, doc },
#include "counters.def"
	};
	size_t i;

	puts("| metric | type | label | meaning |\n|---|---|---|---|");
	metric_rows(stat_infos, STAT_COUNT);
	metric_rows(stat_times_infos, TIMES_COUNT);
	for (i = 0; i < ARRAY_SIZE(measures); i++)
		metric(measures[i].metric, measures[i].label, "gauge", measures[i].doc);
}

static void
sqlstates(void)
{
	static const struct { const char *state, *class, *name, *doc; } lines[] = {
#define SQLSTATE(state, class, name, doc) { state, #class, name, doc },
#include "sink/sqlstates.def"
	};
	size_t i;

	puts("| SQLSTATE | name | who | what it is here |\n|---|---|---|---|");
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		printf("| `%s%s` | %s | %s | ", lines[i].state, strlen(lines[i].state) == 2 ? "..." : "",
		    lines[i].name, strcmp(lines[i].class, "PASSES") == 0 ? "passes" :
		    strcmp(lines[i].class, "ROW") == 0 ? "the row" : "a person");
		md(lines[i].doc);
		puts(" |");
	}
}

/* Text for mdoc: a line ends with its sentence, and before it is too long. */
static void
mdoc(const char *text)
{
	size_t n, column = 0;
	bool sentence = false;

	for (; *text; text += n + (text[n] == ' ')) {
		n = strcspn(text, " ");
		if (column > 0)
			putchar(sentence || column + 1 + n > WIDTH ? '\n' : ' ');
		if (sentence || column + 1 + n > WIDTH)
			column = 0;
		fwrite(text, 1, n, stdout);
		column += n + 1;
		sentence = n > 0 && strchr(".!?", text[n - 1]);
	}
	putchar('\n');
}

static void
kind(const struct conf_param *p)
{
	switch (p->type) {
	case CONF_UINT:
		printf("A number from %" PRIu64 " to %" PRIu64 ".\n", p->min, p->max);
		break;
	case CONF_BYTES:
		puts("Bytes.");
		break;
	case CONF_DURATION:
		puts("A duration.");
		break;
	case CONF_BOOL:
		puts("yes or no.");
		break;
	case CONF_ENUM:
	case CONF_STRING:
		break;
	}
}

static void
settings(void)
{
	const struct conf_param *p;
	const char *section = "";

	for (p = conf_params; p < conf_params + conf_n_params; p++) {
		if (strcmp(section, p->section) != 0) {
			if (*section)
				puts(".El");
			printf(".Ss Section %s\n.Bl -tag -width Ds\n", section = p->section);
		}
		printf(".It Cm %s\n", p->key);
		mdoc(p->doc);
		kind(p);
		if (*p->def)
			printf("Default:\n.Ql %s .\n", p->def);
		else
			puts("Default: empty.");
	}
	puts(".El");
}

static void
counters(void)
{
	size_t i;

	puts(".Bl -tag -width Ds");
	for (i = 0; i < STAT_COUNT; i++) {
		if (i >= STAT_collect_answers_NONE && i < STAT_collect_answers_NONE + REFUSE_COUNT) {
			if (i > STAT_collect_answers_NONE)
				continue;
			printf(".It Cm collect answers_ Ns Ar code Ns Cm _total\n");
		} else {
			printf(".It Cm %s %s\n", stat_infos[i].program, stat_infos[i].name);
		}
		mdoc(stat_infos[i].doc);
	}
	for (i = 0; i < TIMES_COUNT; i++) {
		printf(".It Cm %s %s\n", stat_times_infos[i].program, stat_times_infos[i].name);
		mdoc(stat_times_infos[i].doc);
	}
	puts(".El");
}

int
main(int argc, char **argv)
{
	static const struct { const char *name; void (*print)(void); } tables[] = {
		{ "errors", errors }, { "metrics", metrics }, { "settings", settings },
		{ "counters", counters }, { "sqlstates", sqlstates },
	};
	size_t i;

	for (i = 0; argc == 2 && i < ARRAY_SIZE(tables); i++)
		if (strcmp(argv[1], tables[i].name) == 0) {
			tables[i].print();
			return EX_OK;
		}
	fputs("usage: tables errors | metrics | settings | counters | sqlstates\n", stderr);
	return EX_USAGE;
}
