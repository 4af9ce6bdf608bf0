#include "collect/handover.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/notify.h"

#define VARIABLE	"FOREBAYD_HANDOVER"	/* "FD SLOT:PID:KILL_AT ..." */
#define TEST_MS		10000
#define END_MS		1000		/* for it to be gone when killed */
#define PING_MS		1000
#define ARGS_MAX	256

static char program[4096];
static char **arguments;

void
handover_init(char **argv)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	char *deleted;

	arguments = argv;
	program[n > 0 ? n : 0] = '\0';
	deleted = strstr(program, " (deleted)");	/* replaced while it ran */
	if (deleted)
		*deleted = '\0';
}

bool
handover_take(struct handover *h)
{
	const char *s = getenv(VARIABLE);
	struct handover_child *c = h->children;
	int used;

	h->n = 0;
	if (!s || sscanf(s, "%d%n", &h->listen_fd, &used) != 1 ||
	    fcntl(h->listen_fd, F_SETFD, FD_CLOEXEC) != 0)
		return false;
	for (s += used; h->n < HANDOVER_MAX; s += used, h->n++, c++)
		if (sscanf(s, " %u:%d:%lld%n", &c->slot, &c->pid, &c->kill_at_ms, &used) != 3)
			break;
	unsetenv(VARIABLE);
	return true;
}

/* The command line with -t behind the program's name; NULL: too long. */
static char **
test_arguments(void)
{
	static char *args[ARGS_MAX], test[] = "-t";
	size_t n = 0;

	args[0] = arguments[0];
	args[1] = test;
	while (n < ARGS_MAX - 2 && arguments[n])
		n++;
	if (arguments[n])
		return NULL;
	if (n > 0)
		memcpy(args + 2, arguments + 1, n * sizeof *args);	/* with the NULL */
	return args;
}

bool
handover_test(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int64_t began = clock_mono_ms(), now, ping_at = began;
	char **args = test_arguments();
	pid_t pid = args ? fork() : -1, ended = 0;
	int status;

	if (pid == 0) {
		execv(program, args);
		_exit(127);
	}
	while (pid > 0 && (ended = waitpid(pid, &status, WNOHANG)) == 0) {
		now = clock_mono_ms();
		if (now - began > TEST_MS)
			kill(pid, SIGKILL);
		if (now - began > TEST_MS + END_MS)
			break;			/* the disk holds it: the master's to reap */
		if (now >= ping_at) {
			notify("WATCHDOG=1");
			ping_at = now + PING_MS;
		}
		nanosleep(&pause, NULL);
	}
	return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void
handover_exec(const struct handover *h)
{
	struct buf b;
	unsigned i;

	buf_init(&b, 64 * 1024);
	buf_printf(&b, "%d", h->listen_fd);
	for (i = 0; i < h->n; i++)
		buf_printf(&b, " %u:%d:%lld", h->children[i].slot, h->children[i].pid,
		    h->children[i].kill_at_ms);
	if (!b.failed && setenv(VARIABLE, b.p, 1) == 0 && fcntl(h->listen_fd, F_SETFD, 0) == 0)
		execv(program, arguments);
	fcntl(h->listen_fd, F_SETFD, FD_CLOEXEC);
	unsetenv(VARIABLE);
	buf_fini(&b);
}
