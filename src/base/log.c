#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
	const char *program;
	enum log_level least;
	int under_systemd;
} g = { "forebay", LOG_INFO, 0 };

static const struct { const char *name; enum log_level level; } levels[] = {
	{ "error", LOG_ERROR }, { "warning", LOG_WARNING },
	{ "info", LOG_INFO }, { "debug", LOG_DEBUG },
};

void
log_init(const char *program, enum log_level least)
{
	g.program = program;
	g.least = least;
	g.under_systemd = getenv("JOURNAL_STREAM") != NULL;
}

enum log_level
log_level_parse(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(name, levels[i].name) == 0)
			return levels[i].level;
	return LOG_INFO;
}

static const char *
level_name(enum log_level level)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "?";
}

void
log_msg(enum log_level level, const char *event, const char *fmt, ...)
{
	char line[2048], when[CLOCK_TEXT];
	int n, m, saved = errno;
	size_t len;
	va_list ap;

	if (level > g.least)
		return;
	if (g.under_systemd)
		n = snprintf(line, sizeof line, "<%d>%s ", (int)level, event);
	else
		n = snprintf(line, sizeof line, "%s %s[%ld] %s: %s ",
		    clock_text(clock_us(), when), g.program, (long)getpid(),
		    level_name(level), event);
	CHECK(n > 0);
	len = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
	va_start(ap, fmt);
	m = vsnprintf(line + len, sizeof line - len, fmt, ap);
	va_end(ap);
	if (m > 0)
		len += (size_t)m;
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	for (n = 0; (size_t)n < len; n++)	/* one message is one line */
		if ((unsigned char)line[n] < 0x20)
			line[n] = ' ';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		errno = 0;			/* nowhere to complain */
	errno = saved;
}

int
log_allow(struct log_limit *l, const char *event)
{
	int64_t now = clock_mono_ms();

	if (now < l->next_ms) {
		l->suppressed++;
		return 0;
	}
	if (l->suppressed > 0)
		log_msg(LOG_WARNING, event, "suppressed=%u", l->suppressed);
	l->suppressed = 0;
	l->next_ms = now + 5000;
	return 1;
}
