/*
 * Small files and directories: what has to be durable, locked or read whole.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* fsyncs a directory, so that names made in it survive a power cut. */
enum err file_sync_dir(const char *dir) MUST_CHECK;

/*
 * Opens the file and takes flock(LOCK_EX | LOCK_NB) on it; the lock lasts until the
 * fd is closed. EXISTING: ERR_DOWN when it is not there; MAKE: it is made when it is
 * missing; NEW: it must not exist yet. ERR_BUSY: somebody holds it, or removed the new
 * file before it was locked. On a read-only volume a file that is there can be locked.
 */
enum file_lock_mode { FILE_LOCK_EXISTING, FILE_LOCK_MAKE, FILE_LOCK_NEW };
enum err file_lock(const char *path, enum file_lock_mode, int *fd) MUST_CHECK;
/* The same for a directory, which needs no room and no right to write. Network file
 * systems have no such lock (ERR_IO). */
enum err file_lock_dir(const char *dir, int *fd) MUST_CHECK;

/* Reads at most n-1 bytes and ends them with NUL; without a trailing newline.
 * ERR_DOWN: not there. */
enum err file_read(const char *path, char *out, size_t n) MUST_CHECK;
/* Reads exactly n bytes at a place. ERR_IO with errno, also (ENODATA) when the file ends
 * before: whoever asks knows its size. */
enum err file_read_at(int fd, void *out, size_t n, off_t at) MUST_CHECK;
/* Writes a temporary file beside it, fsyncs, renames, fsyncs the directory. */
enum err file_replace(const char *path, const char *text) MUST_CHECK;
/*
 * Maps a file of n bytes that processes share. MAKE: it is made when it is missing, zeros,
 * with its space on the disk, so that no page of it can fail later; ERR_IO with errno.
 * READ: as it is; ERR_DOWN when it is not there or smaller. The caller unmaps.
 */
enum file_map_mode { FILE_MAP_READ, FILE_MAP_MAKE };
enum err file_map(const char *path, size_t n, enum file_map_mode, void **) MUST_CHECK;

#endif
