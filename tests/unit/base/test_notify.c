/* What systemd is told and what it says, by a socket and the environment. */
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/notify.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static int
listen_at(const char *path, size_t n)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, path, n);
	if (bind(fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) != 0)
		return -1;
	return fd;
}

static void
hears(int fd, const char *state)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char got[64] = "";

	notify(state);
	if (poll(&p, 1, 5000) == 1 && recv(fd, got, sizeof got - 1, 0) < 0)
		got[0] = '\0';
	is_str(got, state, "heard");
}

static void
test_notify(const char *dir)
{
	char path[TMP_PATH + 16];
	int fd;

	unsetenv("NOTIFY_SOCKET");
	notify("READY=1");
	ok(true, "nobody listens, nothing happens");
	snprintf(path, sizeof path, "%s/notify", dir);
	setenv("NOTIFY_SOCKET", path, 1);
	notify("READY=1");
	ok(true, "nor where the socket is not there");
	fd = listen_at(path, strlen(path));
	hears(fd, "READY=1\nSTATUS=1 worker");
	close(fd);
	snprintf(path, sizeof path, "@forebay-test-%ld", (long)getpid());
	setenv("NOTIFY_SOCKET", path, 1);
	path[0] = '\0';
	fd = listen_at(path, 1 + strlen(path + 1));
	hears(fd, "WATCHDOG=1");
	close(fd);
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify("READY=1");
	ok(true, "a path that is neither absolute nor abstract is left alone");
}

static void
test_watchdog(void)
{
	char pid[32];

	unsetenv("WATCHDOG_USEC");
	is_int(notify_watchdog_ms(), 0, "no watchdog");
	setenv("WATCHDOG_USEC", "30000000", 1);
	is_int(notify_watchdog_ms(), 15000, "half of its time");
	setenv("WATCHDOG_PID", "1", 1);
	is_int(notify_watchdog_ms(), 0, "not meant for us");
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	is_int(notify_watchdog_ms(), 15000, "meant for us");
}

static void
test_listen(void)
{
	char pid[32];
	int fd = open("/dev/null", O_RDONLY);

	if (fd >= 0 && fd != 3) {
		dup2(fd, 3);
		close(fd);
	}
	unsetenv("LISTEN_FDS");
	is_int(notify_listen_fd(), -1, "no socket was passed");
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1);
	is_int(notify_listen_fd(), -1, "not to us");
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	setenv("LISTEN_PID", pid, 1);
	is_int(notify_listen_fd(), 3, "to us");
	ok(fcntl(3, F_GETFD) & FD_CLOEXEC, "it does not outlive an exec");
	setenv("LISTEN_FDS", "2", 1);
	is_int(notify_listen_fd(), -1, "two are not what we expect");
	close(3);
}

int
main(void)
{
	char dir[TMP_PATH];

	tmp_make(dir);
	test_notify(dir);
	test_watchdog();
	test_listen();
	tmp_remove(dir);
	return done();
}
