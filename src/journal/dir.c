#include "journal/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/file.h"
#include "journal/sqlite.h"

/* lock last: while it is there the name is taken and can be claimed again */
static const char *const suffixes[] = { ".db-shm", ".db-wal", ".db-journal", ".db", ".lock" };

static int
by_name(const void *a, const void *b)
{
	const struct dir_segment *x = a, *y = b;

	return memcmp(x->uuid.b, y->uuid.b, sizeof x->uuid.b);
}

/* "<uuid>.lock" names a segment: it is made first and removed last. */
static bool
segment_name(const char *name, struct uuid *u)
{
	size_t n = strlen(name);

	return n == 36 + 5 && strcmp(name + 36, ".lock") == 0 && uuid_parse(name, 36, u);
}

static void
measure(const char *dir, struct dir_segment *s)
{
	static const char *const sized[] = { ".db", ".db-wal" };
	char path[SEGMENT_PATH];
	struct stat st;
	size_t i;
	int64_t at;

	for (i = 0; i < ARRAY_SIZE(sized); i++) {
		if (segment_path(path, dir, s->uuid, sized[i]) != ERR_OK || stat(path, &st) != 0)
			continue;
		s->bytes += (uint64_t)st.st_size;
		at = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
		if (at > s->changed_at)
			s->changed_at = at;
	}
	s->born = segment_path(path, dir, s->uuid, ".lock") == ERR_OK &&
	    stat(path, &st) == 0 && st.st_size > 0;
}

enum err
dir_list(const char *dir, struct dir_segment **out, size_t *n)
{
	struct dir_segment *all = NULL, *more;
	size_t have = 0, room = 0;
	struct dirent *d;
	struct uuid u;
	DIR *dp = opendir(dir);
	enum err e;

	*out = NULL;
	*n = 0;
	if (!dp)
		return errno == ENOENT ? ERR_DOWN : ERR_IO;
	while (errno = 0, (d = readdir(dp))) {
		if (!segment_name(d->d_name, &u))
			continue;
		if (have == room) {
			room = room ? room * 2 : 64;
			more = realloc(all, room * sizeof *all);
			if (!more) {
				free(all);
				closedir(dp);
				return ERR_NOMEM;
			}
			all = more;
		}
		all[have] = (struct dir_segment){ .uuid = u };
		measure(dir, &all[have++]);
	}
	e = errno == 0 ? ERR_OK : ERR_IO;
	closedir(dp);
	if (e != ERR_OK) {
		free(all);
		return e;
	}
	if (have > 0)
		qsort(all, have, sizeof *all, by_name);
	*out = all;
	*n = have;
	return ERR_OK;
}

enum err
dir_claim(const char *dir, struct uuid u, int *lock_fd)
{
	char path[SEGMENT_PATH];
	enum err e = segment_path(path, dir, u, ".lock");

	return e == ERR_OK ? file_lock(path, FILE_LOCK_EXISTING, lock_fd) : e;
}

/* Takes the mark of birth away. */
static enum err
unmark(const char *path)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return errno == ENOENT ? ERR_OK : ERR_IO;
	good = fsync(fd) == 0;
	close(fd);
	return good ? ERR_OK : ERR_IO;
}

enum err
dir_remove(const char *dir, struct uuid u)
{
	char path[SEGMENT_PATH];
	size_t i;
	enum err e = segment_path(path, dir, u, ".lock");

	/* who dies from here on leaves an unfinished segment, not a damaged one */
	if (e == ERR_OK)
		e = unmark(path);

	for (i = 0; e == ERR_OK && i < ARRAY_SIZE(suffixes); i++) {
		e = segment_path(path, dir, u, suffixes[i]);
		CRASH_POINT("unlinking");
		if (e == ERR_OK && unlink(path) != 0 && errno != ENOENT)
			e = ERR_IO;
	}
	CRASH_POINT("unlinked");
	return e == ERR_OK ? file_sync_dir(dir) : e;
}

enum err
dir_move(const char *dir, struct uuid u, const char *to_dir)
{
	char from[SEGMENT_PATH], to[SEGMENT_PATH];
	size_t i;
	enum err e = ERR_OK;

	for (i = 0; e == ERR_OK && i < ARRAY_SIZE(suffixes); i++) {
		e = segment_path(from, dir, u, suffixes[i]);
		if (e == ERR_OK)
			e = segment_path(to, to_dir, u, suffixes[i]);
		if (e == ERR_OK && rename(from, to) != 0 && errno != ENOENT)
			e = ERR_IO;
		CRASH_POINT("renamed");
	}
	if (e == ERR_OK)
		e = file_sync_dir(to_dir);
	return e == ERR_OK ? file_sync_dir(dir) : e;
}

enum err
dir_set_aside(const char *dir, struct uuid u)
{
	char aside[SEGMENT_PATH];

	if (snprintf(aside, sizeof aside, "%s/aside", dir) >= (int)sizeof aside)
		return ERR_INVALID;
	if (mkdir(aside, 0750) != 0 && errno != EEXIST)
		return ERR_IO;
	return dir_move(dir, u, aside);
}
