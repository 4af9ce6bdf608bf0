/*
 * Small files and directories: what has to be durable, locked or read whole.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* fsyncs a directory, so that names made in it survive a power cut. */
enum err file_sync_dir(const char *dir) MUST_CHECK;

/*
 * Opens DIR/NAME and takes flock(LOCK_EX | LOCK_NB) on it; the lock lasts until
 * the fd is closed. create: the file must not exist yet (O_EXCL); otherwise it is
 * made when missing only if `make`. ERR_BUSY: somebody holds it, or removed the new
 * file before it was locked. ERR_DOWN: not there.
 */
enum file_lock_mode { FILE_LOCK_EXISTING, FILE_LOCK_MAKE, FILE_LOCK_NEW };
enum err file_lock(const char *path, enum file_lock_mode, int *fd) MUST_CHECK;

/* Reads at most n-1 bytes and ends them with NUL; without a trailing newline.
 * ERR_DOWN: not there. */
enum err file_read(const char *path, char *out, size_t n) MUST_CHECK;
/* Writes a temporary file beside it, fsyncs, renames, fsyncs the directory. */
enum err file_replace(const char *path, const char *text) MUST_CHECK;

#endif
