/*
 * forebay-flusher: carries the journal into PostgreSQL.
 *
 * The loop is in loop.c; here is what it starts from and what it leaves.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "config.h"
#include "flush/loop.h"

/* Settings are read by the new program: a reload is a new start in the same process. */
static void
reload(char **argv, const struct conf_args *args)
{
	struct conf *c;
	char errmsg[512];

	if (conf_load(&c, args->path, args->flags, args->n, errmsg) != ERR_OK) {
		log_error("flush.reload", "the settings are kept: %s", errmsg);
		return;
	}
	conf_free(&c);
	log_info("flush.reload", "starting anew");
	execvp(argv[0], argv);
	log_error("flush.reload", "%s: %s", argv[0], strerror(errno));
}

static int
die(int status, const char *what, const char *why)
{
	log_error("flush.start", "%s: %s", what, why);
	return status;
}

/* Held until the process ends, both of them: the directory can be locked where no file
 * can be made, and flusher.lock where directories cannot be, and by earlier versions. */
static int
lock_journal(const char *dir)
{
	char path[1024];
	int fd = -1;
	enum err whole = file_lock_dir(dir, &fd), file;

	if (whole == ERR_DOWN)
		return die(err_exit(whole), dir, "there is no such directory");
	snprintf(path, sizeof path, "%s/flusher.lock", dir);
	file = file_lock(path, FILE_LOCK_MAKE, &fd);
	if (whole == ERR_BUSY || file == ERR_BUSY)
		return die(err_exit(ERR_BUSY), path, "another flusher works on this journal");
	if (whole != ERR_OK && file != ERR_OK)
		return die(err_exit(file), path, strerror(errno));
	return EX_OK;
}

static int
set_up(const struct conf *c, char node[256], struct stat_file *stat)
{
	enum err e;
	int status;

	if (*c->journal_node)
		snprintf(node, 256, "%s", c->journal_node);
	else if (gethostname(node, 256) != 0)
		return die(EX_OSERR, "gethostname", strerror(errno));
	status = lock_journal(c->journal_dir);
	if (status != EX_OK)
		return status;
	e = stat_create(stat, c->run_dir, STAT_FLUSH_FILE, 1);
	if (e != ERR_OK)
		return die(err_exit(e), c->run_dir, "the counters cannot be made");
	stat->slots->pid = (int32_t)getpid();
	stat_set(stat->slots, STAT_flush_alarm, 0);
	stat_set(stat->slots, STAT_flush_connected, 0);
	if (loop_open(c, stat->slots, node) != ERR_OK)
		return die(EX_OSERR, "start", "no memory, threads or descriptors for flush.connections");
	return EX_OK;
}

static void
usage(FILE *f)
{
	fputs("usage: forebay-flusher [-c FILE] [-o SECTION.KEY=VALUE]...\n"
	    "       forebay-flusher --version | --help\n", f);
}

int
main(int argc, char **argv)
{
	struct conf_args args = { .path = NULL };
	struct stat_file stat = { .slots = NULL };
	enum loop_end end = LOOP_HANG_UP;
	struct conf *conf;
	char node[256] = "";
	int opt, status;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("forebay-flusher " PACKAGE_VERSION);
		return EX_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return EX_OK;
	}
	while ((opt = getopt(argc, argv, "c:o:")) != -1)
		if (!conf_arg(&args, opt, optarg)) {
			usage(stderr);
			return EX_USAGE;
		}
	conf = conf_load_or_exit(&args);
	log_init("forebay-flusher", log_level_parse(conf->log_level));
	umask(0027);
	status = set_up(conf, node, &stat);
	if (status == EX_OK) {
		log_info("flush.start", "version=" PACKAGE_VERSION " journal=%s node=%s", conf->journal_dir, node);
		while ((end = loop_run()) == LOOP_HANG_UP)
			reload(argv, &args);
		status = end == LOOP_EMPTY ? EX_OK : EX_TEMPFAIL;
	}
	loop_close();
	stat_close(&stat);
	conf_free(&conf);
	return status;
}
