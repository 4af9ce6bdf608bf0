/*
 * A slow disk, by LD_PRELOAD: each fsync and fdatasync takes SLOW_SYNC_US more; while
 * the file that SLOW_SYNC_HANG names exists, it does not come back; while the file that
 * SLOW_SYNC_FAIL names exists, it fails.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int
be_slow(const char *call, int fd)
{
	const char *us = getenv("SLOW_SYNC_US"), *hang = getenv("SLOW_SYNC_HANG"),
	    *broken = getenv("SLOW_SYNC_FAIL");
	int (*real)(int) = (__typeof__(real))dlsym(RTLD_NEXT, call);

	while (hang && access(hang, F_OK) == 0)
		usleep(2000);
	if (us)
		usleep((useconds_t)strtoul(us, NULL, 10));
	if (broken && access(broken, F_OK) == 0) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}

int
fsync(int fd)
{
	return be_slow("fsync", fd);
}

int
fdatasync(int fd)
{
	return be_slow("fdatasync", fd);
}
