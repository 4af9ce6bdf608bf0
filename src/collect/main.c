/*
 * forebayd: the collector. Reads the settings, opens the socket, becomes the master.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/keyfile.h"
#include "base/log.h"
#include "base/stat.h"
#include "collect/handover.h"
#include "collect/listen.h"
#include "collect/master.h"
#include "collect/worker.h"
#include "config.h"
#include "journal/volume.h"

static struct stat_file stats;

static const char usage[] =
	"usage: forebayd [-t] [-c FILE] [-o SECTION.KEY=VALUE]...\n"
	"       forebayd --version | --help\n"
	"Collects events from nginx into the journal. -t: only say whether it would start.\n"
	"SIGHUP reads settings and program anew, SIGTERM drains. See forebayd(8).\n";

/* Returns whether -t was there. */
static bool
parse_args(int argc, char **argv, struct conf_args *args)
{
	bool test = false;
	int opt;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("forebayd " PACKAGE_VERSION);
		exit(EX_OK);
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		exit(EX_OK);
	}
	while ((opt = getopt(argc, argv, "tc:o:")) != -1)
		if (opt == 't') {
			test = true;
		} else if (!conf_arg(args, opt, optarg)) {
			fputs(usage, stderr);
			exit(EX_USAGE);
		}
	if (optind != argc) {
		fputs(usage, stderr);
		exit(EX_USAGE);
	}
	return test;
}

/* Runs in a child of the master. */
static int
work(const struct conf *conf, unsigned slot, int listen_fd, uid_t peer, pid_t master)
{
	const struct worker_args args = {
		.conf = conf, .slot = &stats.slots[slot], .listen_fd = listen_fd,
		.peer = peer, .master = master,
	};

	log_init("forebayd-worker", log_level_parse(conf->log_level));
	return worker_run(&args);
}

static void NORETURN
fatal(int status, const char *what, const char *why)
{
	log_error("start.failed", "%s: %s", what, why);
	exit(status);
}

/* The journal's directory is made if its parent is there: /var/lib/forebay is the
 * package's or the unit's affair. */
static void
check_journal(const struct conf *conf)
{
	char errmsg[VOLUME_TEXT];

	if (mkdir(conf->journal_dir, 0750) != 0 && errno != EEXIST)
		fatal(EX_CANTCREAT, conf->journal_dir, strerror(errno));
	if (!conf->journal_any_filesystem &&
	    volume_check(conf->journal_dir, errmsg) != ERR_OK)
		fatal(EX_CONFIG, "journal.dir", errmsg);
}

/* A journal that fails while all runs is answered with 503; one that never took a byte,
 * or no place for the socket and counters, is a slip that a reload shall not fall for. */
static void
check_writable(const char *setting, const char *dir)
{
	if (access(dir, W_OK | X_OK) != 0)
		fatal(EX_CANTCREAT, setting, strerror(errno));
}

/* Keys that cannot be read would make every worker fail. */
static void
check_keys(const struct conf *conf)
{
	struct keyfile keys;
	char errmsg[256];

	if (conf->collect_keys[0] == '\0')
		return;
	if (keyfile_read(&keys, conf->collect_keys, errmsg) != ERR_OK)
		fatal(EX_CONFIG, "collect.keys", errmsg);
	keyfile_free(&keys);
}

/* Slots for a generation that serves, one that starts and two that are leaving, for a
 * reload that asks for more workers, and for every worker of the former self. */
static uint32_t
slots(const struct conf *conf, const struct handover *before)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t most = (uint32_t)conf->collect_workers, n;
	unsigned i;

	if (cpus > 0 && (uint32_t)cpus > most)
		most = (uint32_t)cpus;
	n = most < 4 ? 16 : most > 128 ? 512 : most * 4;
	for (i = 0; i < before->n; i++)
		if (before->children[i].slot >= n)
			n = before->children[i].slot + 1;
	if (n < before->n + most)	/* so that the new ones find some */
		n = before->n + most;
	return n < 512 ? n : 512;
}

/* The socket: from systemd, or made. */
static void
open_socket(struct master_args *m)
{
	char errmsg[256] = "";

	if (listen_open(m->conf->collect_socket, &m->listen_fd, errmsg) != ERR_OK)
		fatal(EX_CANTCREAT, "collect.socket", errmsg);
}

int
main(int argc, char **argv)
{
	struct conf_args conf_args = { .path = NULL };
	static struct handover before;
	struct master_args m = { .work = work, .stats = &stats, .before = &before };
	struct conf *conf;
	bool test, reloaded;
	int status;

	signal(SIGCHLD, SIG_DFL);	/* who starts us may ignore it, and then no child is waited for */
	handover_init(argv);
	test = parse_args(argc, argv, &conf_args);
	m.conf = conf = conf_load_or_exit(&conf_args);
	log_init("forebayd", log_level_parse(conf->log_level));
	umask(0027);
	if (listen_peer_uid(conf->collect_peer, &m.peer) != ERR_OK)
		fatal(EX_CONFIG, "collect.peer", "there is no such user");
	check_journal(conf);
	check_keys(conf);
	if (test) {
		check_writable("journal.dir", conf->journal_dir);
		check_writable("run.dir", conf->run_dir);
		conf_free(&conf);
		return EX_OK;
	}
	reloaded = handover_take(&before);
	if (stat_create(&stats, conf->run_dir, STAT_COLLECT_FILE, slots(conf, &before)) != ERR_OK)
		fatal(EX_CANTCREAT, conf->run_dir, "the counters' file cannot be made");
	if (reloaded)
		m.listen_fd = before.listen_fd;
	else
		open_socket(&m);
	log_info("start", "version=%s socket=%s journal=%s", PACKAGE_VERSION,
	    conf->collect_socket, conf->journal_dir);
	status = master_run(&m);
	conf_free(&conf);
	stat_close(&stats);
	return status;
}
