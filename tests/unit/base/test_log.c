/* One message is one line, whatever is in it; a flood is thinned out. */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/log.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static char path[TMP_PATH + 16], text[8192];

/* Sends stderr to a file; the next call of captured() gives it back. */
static int
capture(void)
{
	int saved = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

	dup2(fd, STDERR_FILENO);
	close(fd);
	return saved;
}

static void
captured(int saved)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static size_t
lines(void)
{
	size_t n = 0, i;

	for (i = 0; text[i]; i++)
		n += text[i] == '\n';
	return n;
}

static void
test_form(void)
{
	static char big[5000];
	int saved;

	memset(big, 'x', sizeof big - 1);
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_init("test", LOG_INFO);
	saved = capture();
	log_info("a.b", "path=%s n=%d", "evil\n<0>fake\x1b[31m\r\n", 3);
	log_debug("not.shown", "%d", 1);
	errno = 42;
	log_error("big", "%s", big);
	is_int(errno, 42, "errno is kept");
	captured(saved);
	is_int((long long)lines(), 2, "one line each, and none below the level");
	ok(strncmp(text, "<6>a.b path=evil <0>fake [31m   n=3\n", 36) == 0, "control characters become spaces");
	ok(strstr(text, "\n<3>big xxx") != NULL && strlen(text) < 2200, "a long one is cut");
	unsetenv("JOURNAL_STREAM");
	log_init("test", LOG_WARNING);
	saved = capture();
	log_info("a.b", "%d", 1);
	log_warning("a.b", "%d", 2);
	captured(saved);
	ok(lines() == 1 && strstr(text, "] warning: a.b 2\n"), "outside systemd with time and level");
}

static void
test_limit(void)
{
	struct log_limit l = { 0 };
	int saved = capture(), i, allowed = 0;

	for (i = 0; i < 100; i++)
		allowed += log_allow(&l, "flood");
	l.next_ms = 0;		/* five seconds later */
	allowed += log_allow(&l, "flood");
	captured(saved);
	is_int(allowed, 2, "one of a hundred, and one later");
	ok(strstr(text, "flood suppressed=99") != NULL, "which says how many were left out");
}

static void
test_errors(void)
{
	int e, bad = 0;

	for (e = ERR_OK; e <= ERR_BUG; e++)
		bad += strcmp(err_name((enum err)e), "?") == 0 || (err_class((enum err)e) == CLASS_OK) != (e == ERR_OK) ||
		    (err_exit((enum err)e) == 0) != (e == ERR_OK);
	is_int(bad, 0, "every error has a name, a class and an exit status");
	ok(err_class((enum err)99) == CLASS_FATAL, "an error that does not exist is a bug");
	ok(log_level_parse("debug") == LOG_DEBUG && log_level_parse("what") == LOG_INFO, "levels by name");
}

int
main(void)
{
	char dir[TMP_PATH];

	tmp_make(dir);
	snprintf(path, sizeof path, "%s/log", dir);
	test_form();
	test_limit();
	test_errors();
	tmp_remove(dir);
	return done();
}
