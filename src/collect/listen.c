#include "collect/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/notify.h"

#define BACKLOG	4096		/* net.core.somaxconn caps it */

static enum err
bind_path(int fd, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	mode_t mask;
	int rc;

	if (n >= sizeof sa.sun_path)
		return ERR_INVALID;
	memcpy(sa.sun_path, path, n);
	unlink(path);
	mask = umask(0117);		/* 0660 from the start */
	rc = bind(fd, (struct sockaddr *)&sa, sizeof sa);
	umask(mask);
	return rc == 0 ? ERR_OK : ERR_IO;
}

enum err
listen_open(const char *path, int *out, char errmsg[256])
{
	int fd = notify_listen_fd();

	if (fd >= 0) {
		*out = fd;
		return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 ? ERR_OK : ERR_IO;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind_path(fd, path) != ERR_OK || listen(fd, BACKLOG) != 0) {
		snprintf(errmsg, 256, "%.200s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return ERR_IO;
	}
	*out = fd;
	return ERR_OK;
}

enum err
listen_peer_uid(const char *user, uid_t *uid)
{
	struct passwd *pw;

	*uid = geteuid();
	if (*user == '\0')
		return ERR_OK;
	pw = getpwnam(user);
	if (!pw)
		return ERR_INVALID;
	*uid = pw->pw_uid;
	return ERR_OK;
}

bool
listen_peer_allowed(int fd, uid_t peer)
{
	struct ucred c;
	socklen_t n = sizeof c;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) == 0 &&
	    (c.uid == 0 || c.uid == peer || c.uid == geteuid());
}
