#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum err
file_sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return ERR_IO;
	rc = fsync(fd);
	close(fd);
	return rc == 0 ? ERR_OK : ERR_IO;
}

/* Closes the fd where it cannot be locked. */
static enum err
take(int fd)
{
	enum err e;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return ERR_OK;
	e = errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
	close(fd);
	return e;
}

enum err
file_lock(const char *path, enum file_lock_mode mode, int *out)
{
	static const int flags[] = {
		[FILE_LOCK_EXISTING] = 0,
		[FILE_LOCK_MAKE] = O_CREAT,
		[FILE_LOCK_NEW] = O_CREAT | O_EXCL,
	};
	int fd = open(path, O_RDWR | O_CLOEXEC | flags[mode], 0640);
	struct stat st;
	enum err e;

	*out = -1;
	if (fd < 0 && errno == EROFS && mode != FILE_LOCK_NEW)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_DOWN : errno == ENOSPC ? ERR_FULL : ERR_IO;
	e = take(fd);
	if (e != ERR_OK)
		return e;
	/* somebody may have locked it since it was opened, removed it, and let go */
	if (fstat(fd, &st) != 0 || st.st_nlink == 0) {
		close(fd);
		return mode == FILE_LOCK_EXISTING ? ERR_DOWN : ERR_BUSY;
	}
	*out = fd;
	return ERR_OK;
}

enum err
file_lock_dir(const char *dir, int *out)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e;

	*out = -1;
	if (fd < 0)
		return errno == ENOENT ? ERR_DOWN : ERR_IO;
	e = take(fd);
	if (e == ERR_OK)
		*out = fd;
	return e;
}

enum err
file_read(const char *path, char *out, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return errno == ENOENT ? ERR_DOWN : ERR_IO;
	got = read(fd, out, n - 1);
	close(fd);
	if (got < 0)
		return ERR_IO;
	while (got > 0 && (out[got - 1] == '\n' || out[got - 1] == '\r'))
		got--;
	out[got] = '\0';
	return ERR_OK;
}

enum err
file_read_at(int fd, void *out, size_t n, off_t at)
{
	char *p = out;
	ssize_t got;

	/* a read that meets a bad sector is cut short before it: only the next one fails */
	for (; n > 0; n -= (size_t)got, p += got, at += got) {
		got = pread(fd, p, n, at);
		if (got == 0)
			errno = ENODATA;
		if (got <= 0)
			return ERR_IO;
	}
	return ERR_OK;
}

enum err
file_replace(const char *path, const char *text)
{
	char tmp[1100], dir[1100];
	size_t n = strlen(text);
	bool ok;
	int fd;

	if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= (int)sizeof tmp)
		return ERR_INVALID;
	snprintf(dir, sizeof dir, "%s", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return ERR_IO;
	ok = write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (!ok || rename(tmp, path) != 0) {
		unlink(tmp);
		return ERR_IO;
	}
	return file_sync_dir(dirname(dir));
}

enum err
file_map(const char *path, size_t n, enum file_map_mode mode, void **out)
{
	bool make = mode == FILE_MAP_MAKE;
	int fd = open(path, O_CLOEXEC | (make ? O_RDWR | O_CREAT : O_RDONLY), 0640);
	void *p = MAP_FAILED;
	struct stat st;

	*out = NULL;
	if (fd < 0)
		return !make && errno == ENOENT ? ERR_DOWN : ERR_IO;
	if (make)
		errno = posix_fallocate(fd, 0, (off_t)n);
	else if (fstat(fd, &st) == 0 && (size_t)st.st_size < n)
		errno = ENODATA;
	else
		errno = 0;
	if (errno == 0)
		p = mmap(NULL, n, make ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return errno == ENODATA ? ERR_DOWN : ERR_IO;
	*out = p;
	return ERR_OK;
}
