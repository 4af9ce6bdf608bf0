/* Small files: locks, reading, replacing. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "tools/tap.h"
#include "tools/tmp.h"

static char dir[TMP_PATH], path[TMP_PATH + 16];

static void
test_lock(void)
{
	int fd, other, status;
	pid_t pid;

	is_int(file_lock(path, FILE_LOCK_EXISTING, &fd), ERR_DOWN, "no file, no lock");
	is_int(fd, -1, "and no fd");
	is_int(file_lock(path, FILE_LOCK_NEW, &fd), ERR_OK, "a new file is locked");
	is_int(file_lock(path, FILE_LOCK_MAKE, &other), ERR_BUSY, "not twice, by another open of the same process");
	pid = fork();
	if (pid == 0)
		_exit(file_lock(path, FILE_LOCK_EXISTING, &other) == ERR_BUSY ? 0 : 1);
	ok(waitpid(pid, &status, 0) == pid && status == 0, "nor by another process");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "the fd does not outlive an exec");
	close(fd);
	is_int(file_lock(path, FILE_LOCK_NEW, &fd), ERR_IO, "an old file is not a new one");
	is_int(file_lock(path, FILE_LOCK_EXISTING, &fd), ERR_OK, "closing the fd gives the lock back");
	close(fd);
	is_int(file_lock("/nonexistent/dir/file", FILE_LOCK_MAKE, &fd), ERR_DOWN, "no directory");
}

static void
test_lock_dir(void)
{
	int fd, other;

	is_int(file_lock_dir(dir, &fd), ERR_OK, "a directory is locked");
	is_int(file_lock_dir(dir, &other), ERR_BUSY, "by one at a time");
	close(fd);
	is_int(file_lock_dir(dir, &fd), ERR_OK, "closing the fd gives it back");
	close(fd);
	is_int(file_lock_dir("/nonexistent/dir", &fd), ERR_DOWN, "no directory, no lock");
	is_int(file_lock_dir("/dev/null", &fd), ERR_IO, "nor of what is none");
	is_int(fd, -1, "and no fd then");
}

/* Another process locks whatever stands there and removes it. */
static void NORETURN
remove_for_ever(void)
{
	int fd;

	for (;;)
		if (file_lock(path, FILE_LOCK_EXISTING, &fd) == ERR_OK) {
			unlink(path);
			close(fd);
		}
}

/* A lock is on the file of that name, or on none: a new file may be taken and removed
 * between its making and its locking. */
static void
test_lock_race(void)
{
	int64_t end = clock_mono_ms() + 1000;
	int taken = 0, lost = 0, fd, status;
	struct stat st;
	pid_t pid;

	unlink(path);
	pid = fork();
	if (pid == 0)
		remove_for_ever();
	while (clock_mono_ms() < end) {
		if (file_lock(path, FILE_LOCK_NEW, &fd) != ERR_OK)
			continue;
		taken++;
		lost += stat(path, &st) != 0;
		unlink(path);
		close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	unlink(path);
	ok(taken > 0, "%d new files locked", taken);
	is_int(lost, 0, "each still under its name");
}

static void
test_read(void)
{
	char out[8];

	is_int(file_read("/nonexistent", out, sizeof out), ERR_DOWN, "not there");
	tmp_write(path, "secret\r\n");
	is_int(file_read(path, out, sizeof out), ERR_OK, "read");
	is_str(out, "secret", "without the newline");
	tmp_write(path, "longer than that");
	is_int(file_read(path, out, sizeof out), ERR_OK, "read");
	is_str(out, "longer ", "no more than there is room for");
	tmp_write(path, "");
	is_int(file_read(path, out, sizeof out), ERR_OK, "an empty file");
	is_str(out, "", "is an empty text");
	is_int(file_read(dir, out, sizeof out), ERR_IO, "a directory cannot be read");
}

static void
test_read_at(void)
{
	char out[4];
	int fd;

	tmp_write(path, "0123456789");
	fd = open(path, O_RDONLY);
	ok(file_read_at(fd, out, 4, 6) == ERR_OK && memcmp(out, "6789", 4) == 0, "read at a place");
	is_int(file_read_at(fd, out, 4, 7), ERR_IO, "all of it or nothing");
	close(fd);
	is_int(file_read_at(fd, out, 4, 0), ERR_IO, "a read that fails is not the end");
}

static void
test_replace(void)
{
	char out[64], tmp[TMP_PATH + 32];
	struct stat st;

	is_int(file_replace(path, "one\n"), ERR_OK, "written");
	is_int(file_replace(path, "two\n"), ERR_OK, "and again");
	ok(file_read(path, out, sizeof out) == ERR_OK && strcmp(out, "two") == 0, "the second stands");
	snprintf(tmp, sizeof tmp, "%s.tmp", path);
	ok(stat(tmp, &st) != 0, "no temporary file is left");
	is_int(file_replace("/nonexistent/x", "y"), ERR_IO, "no directory");
	is_int(file_sync_dir(dir), ERR_OK, "a directory is synced");
	is_int(file_sync_dir(path), ERR_IO, "a file is not one");
}

int
main(void)
{
	tmp_make(dir);
	snprintf(path, sizeof path, "%s/file", dir);
	test_lock();
	test_lock_dir();
	test_lock_race();
	test_read();
	test_read_at();
	test_replace();
	tmp_remove(dir);
	return done();
}
