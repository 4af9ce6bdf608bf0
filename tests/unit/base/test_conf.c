/* Settings: file, environment and flags in their order, and what is said of a bad one. */
#include <sys/wait.h>
#include <sysexits.h>

#include "base/conf.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static char dir[TMP_PATH], path[TMP_PATH + 16], errmsg[512];

static struct conf *
load(const char *text, const char *flag)
{
	struct conf *c = NULL;
	char copy[512], *flags[1] = { copy };

	snprintf(copy, sizeof copy, "%s", flag ? flag : "");
	if (text)
		tmp_write(path, text);
	if (conf_load(&c, path, flags, flag ? 1 : 0, errmsg) != ERR_OK)
		ok(c == NULL && errmsg[0], "a failure leaves no settings but a message");
	return c;
}

static void
test_order(void)
{
	struct conf *c = load("[collect]\nworkers=3\n", NULL);

	is_int((long long)c->collect_workers, 3, "the file wins over the default");
	is_int((long long)c->collect_depth, 64, "the default is there");
	conf_free(&c);
	setenv("FOREBAY_COLLECT_WORKERS", "4", 1);
	c = load(NULL, NULL);
	is_int((long long)c->collect_workers, 4, "the environment wins over the file");
	conf_free(&c);
	c = load(NULL, "collect.workers=5");
	is_int((long long)c->collect_workers, 5, "a flag wins over both");
	conf_free(&c);
	conf_free(&c);
	unsetenv("FOREBAY_COLLECT_WORKERS");
}

static void
test_values(void)
{
	struct conf *c = load("# a comment\n\n  [ collect ]\n", NULL);

	conf_free(&c);
	c = load("[collect]\r\n body_bytes = 8M \r\nread_timeout=1500ms\n"
	    "[journal]\nany_filesystem = yes\nkeep = 2h\nfloor_bytes=0\n"
	    "[flush]\nconninfo = host=/run/pg dbname=x # not a comment\nretention=30\n"
	    "[log]\nlevel=debug", NULL);
	is_int((long long)c->collect_body_bytes, 8 << 20, "bytes with a unit");
	is_int(c->collect_read_timeout, 1500, "milliseconds");
	is_int(c->journal_keep, 7200000, "hours");
	is_int(c->flush_retention, 30000, "seconds where no unit follows");
	ok(c->journal_any_filesystem, "yes");
	is_str(c->flush_conninfo, "host=/run/pg dbname=x # not a comment", "text up to the line's end");
	is_str(c->log_level, "debug", "a word of a list, on a last line without newline");
	is_str(c->flush_notify, "", "empty text");
	conf_free(&c);
}

static void
refused(const char *text, const char *say)
{
	struct conf *c = load(text, NULL);
	size_t n = strlen(text) - 1, from = n;

	while (from > 0 && text[from - 1] != '\n')
		from--;
	ok(c == NULL, "refused: %.*s", n - from < 40 ? (int)(n - from) : 40, text + from);
	ok(strstr(errmsg, say) != NULL && strstr(errmsg, path) == errmsg, "and said why");
	if (!strstr(errmsg, say))
		printf("# got \"%s\", expected \"%s\"\n", errmsg, say);
	conf_free(&c);
}

static void
test_refused(void)
{
	char line[3000];

	refused("[collect]\nworker = 3\n", ":2: unknown key \"worker\" in section [collect]");
	refused("[collector]\nworkers = 3\n", ":2: unknown key \"workers\" in section [collector]");
	refused("workers = 3\n", ":1: unknown key");
	refused("\n\n[collect]\nworkers = many\n", ":4: bad value for collect.workers: \"many\"; expected a whole number from 0 to 256");
	refused("[collect]\nworkers = 257\n", "from 0 to 256");
	refused("[collect]\nworkers = -1\n", ":2: bad value");
	refused("[collect]\nworkers =\n", ":2: bad value");
	refused("[collect]\nworkers = 1 2\n", ":2: bad value");
	refused("[collect]\nworkers = 99999999999999999999\n", ":2: bad value");
	refused("[collect]\nbody_bytes = 99999999999G\n", ":2: bad value");
	refused("[collect]\nbody_bytes = 1m\n", "K, M or G");
	refused("[collect]\nread_timeout = 10 s\n", "a duration");
	refused("[journal]\nany_filesystem = true\n", "expected yes or no");
	refused("[log]\nlevel = loud\n", "expected error|warning|info|debug");
	refused("[log]\nlevel = \n", "expected error|warning|info|debug");
	refused("[journal]\ndir =\n", "expected text of 1 to 900 characters");
	refused("[collect\n", ":1: expected [section]");
	refused("[a-section-whose-name-is-longer-than-any]\n", ":1: expected [section]");
	refused("[collect]\nworkers\n", ":2: expected key = value");
	snprintf(line, sizeof line, "[flush]\nconninfo = %02500d\n", 1);
	refused(line, ":2: the line is too long");
}

static void
test_elsewhere(void)
{
	struct conf *c = load("", NULL);
	char *flags[1];

	ok(c != NULL, "an empty file is fine");
	conf_free(&c);
	setenv("FOREBAY_FLUSH_BATCH_ROWS", "0", 1);
	c = load(NULL, NULL);
	ok(!c && strncmp(errmsg, "FOREBAY_FLUSH_BATCH_ROWS: bad value", 35) == 0, "a bad variable is named");
	unsetenv("FOREBAY_FLUSH_BATCH_ROWS");
	setenv("FOREBAY_FLUSH_BATCHROWS", "1", 1);
	c = load(NULL, NULL);
	ok(!c && strstr(errmsg, "FOREBAY_FLUSH_BATCHROWS: there is no such setting"), "so is an unknown one");
	unsetenv("FOREBAY_FLUSH_BATCHROWS");
	setenv("FOREBAY_URL", "https://localhost", 1);
	c = load(NULL, NULL);
	ok(c != NULL, "a variable of another section is somebody else's");
	conf_free(&c);
	c = load(NULL, "collect.workers");
	ok(!c && strstr(errmsg, "-o collect.workers: expected section.key=value"), "half a flag");
	c = load(NULL, "collect.worker=1");
	ok(!c && strstr(errmsg, "key that exists"), "an unknown flag");
	c = load(NULL, "collect.workers=x=y.z");
	ok(!c && strstr(errmsg, "bad value"), "a bad flag");
	c = load(NULL, "collect.event_bytes=8M");
	ok(c != NULL, "as large as the inflated body");
	conf_free(&c);
	c = load("[collect]\nevent_bytes=8M\ninflated_bytes=4M\n", NULL);
	ok(!c && strstr(errmsg, "collect.event_bytes is larger"), "relations are checked");
	ok(conf_load(&c, "/nonexistent", flags, 0, errmsg) == ERR_INVALID, "a file that is named must be there");
	setenv("FOREBAY_CONF", "/nonexistent", 1);
	ok(conf_load(&c, NULL, flags, 0, errmsg) == ERR_INVALID && strstr(errmsg, "/nonexistent: No such file"),
	    "also when the environment names it");
	unsetenv("FOREBAY_CONF");
}

/* The example with every # in front of a setting removed is what the defaults are. */
static void
test_example(void)
{
	char line[1200], a[1100], b[1100];
	struct conf *c, *def;
	FILE *f = tmp_open(path), *from = tmpfile();
	size_t i, n = 0, same = 0;

	if (!ok(from != NULL, "a temporary file"))
		exit(1);
	conf_example(from);
	rewind(from);
	while (fgets(line, sizeof line, from)) {
		if (line[0] == '#' && line[1] != ' ') {
			fputs(line + 1, f);
			n++;
		} else {
			fputs(line, f);
		}
	}
	fclose(f);
	fclose(from);
	is_int((long long)n, (long long)conf_n_params, "the example has every setting");
	c = load(NULL, NULL);
	def = NULL;
	ok(c != NULL, "it can be loaded");
	if (!c) {
		printf("# %s\n", errmsg);
		return;
	}
	tmp_write(path, "");
	def = load(NULL, NULL);
	for (i = 0; i < conf_n_params; i++)
		same += strcmp(conf_value(c, &conf_params[i], a, sizeof a),
		    conf_value(def, &conf_params[i], b, sizeof b)) == 0;
	is_int((long long)same, (long long)conf_n_params, "and is the defaults");
	conf_free(&c);
	conf_free(&def);
}

/* What conf_value() prints is taken again, and means the same. */
static void
test_print(void)
{
	char v[1100], flag[1300];
	struct conf *c = load("[journal]\nkeep=90m\n[collect]\nbody_bytes=1536K\nread_timeout=100ms\n", NULL), *d;
	size_t i, same = 0;

	is_str(conf_value(c, &conf_params[0], v, sizeof v), "/run/forebay/forebay.sock", "text");
	for (i = 0; i < conf_n_params; i++) {
		conf_value(c, &conf_params[i], v, sizeof v);
		snprintf(flag, sizeof flag, "%s.%s=%s", conf_params[i].section, conf_params[i].key, v);
		d = load(NULL, flag);
		same += d && strcmp(conf_value(d, &conf_params[i], flag, sizeof flag), v) == 0;
		conf_free(&d);
	}
	is_int((long long)same, (long long)conf_n_params, "every value survives being printed");
	conf_free(&c);
}

static void
test_exit(void)
{
	struct conf_args a = { .path = path };
	char out[600] = "", word[] = "log.level=info";
	int fds[2], status, i;
	ssize_t n;
	pid_t pid;

	tmp_write(path, "[collect]\nworkers = x\n");
	if (pipe(fds) != 0)
		return;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		conf_load_or_exit(&a);
		_exit(0);
	}
	close(fds[1]);
	n = read(fds[0], out, sizeof out - 1);
	close(fds[0]);
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == EX_CONFIG, "a bad file exits 78");
	ok(n > 0 && strstr(out, ":2: bad value for collect.workers"), "and says what is wrong");
	ok(conf_arg(&a, 'o', word) && a.n == 1 && !conf_arg(&a, 'x', NULL), "flags are collected");
	for (i = 0; i < 63; i++)
		conf_arg(&a, 'o', word);
	is_int(a.n, 64, "as many as there is room for");
}

int
main(void)
{
	unsetenv("FOREBAY_CONF");
	tmp_make(dir);
	snprintf(path, sizeof path, "%s/forebay.conf", dir);
	test_order();
	test_values();
	test_refused();
	test_elsewhere();
	test_example();
	test_print();
	test_exit();
	tmp_remove(dir);
	return done();
}
