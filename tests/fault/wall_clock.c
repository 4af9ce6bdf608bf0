/*
 * A wall clock that can be set, by LD_PRELOAD: the file that WALL_CLOCK names holds how
 * many seconds it is off, read at each look at it. The monotonic clock is the kernel's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t
off_by(void)
{
	static int fd = -1;
	char text[16] = "";
	const char *path;

	if (fd < 0 && (path = getenv("WALL_CLOCK")))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return pread(fd, text, sizeof text - 1, 0) > 0 ? (time_t)strtoll(text, NULL, 10) : 0;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += off_by();
	return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ ts.tv_sec, ts.tv_nsec / 1000 };
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
