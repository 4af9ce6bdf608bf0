/*
 * activate SOCKET COMMAND ...: holds a listening unix socket and hands it to the
 * command as systemd would (LISTEN_FDS), starting it again whenever it ends. The
 * socket, and the connections that wait in it, outlive the command.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;
static volatile pid_t child;

static void
on_signal(int sig)
{
	stopping = 1;
	if (child > 0)
		kill(child, sig);
}

static void
start(char **argv)
{
	char pid[16];

	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(EX_UNAVAILABLE);
}

static int
listen_on(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) < 0 || chmod(path, 0666) < 0 ||
	    listen(fd, 4096) < 0 || dup2(fd, 3) < 0) {
		perror(path);
		exit(EX_OSERR);
	}
	if (fd != 3)
		close(fd);
	return 3;
}

int
main(int argc, char **argv)
{
	const struct timespec pause = { 0, 100000000 };
	struct sigaction sa = { .sa_handler = on_signal };

	if (argc < 3) {
		fputs("usage: activate SOCKET COMMAND ...\n", stderr);
		return EX_USAGE;
	}
	listen_on(argv[1]);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	while (!stopping) {
		child = fork();
		if (child == 0)
			start(argv + 2);
		if (child < 0)
			return EX_OSERR;
		while (waitpid(child, NULL, 0) < 0)
			;
		child = 0;
		if (!stopping)
			nanosleep(&pause, NULL);
	}
	return 0;
}
