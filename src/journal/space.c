/* Space on the journal's volume. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "journal/dir.h"
#include "journal/sqlite.h"

static enum err
used_bytes(const char *dir, uint64_t *sum)
{
	char path[SEGMENT_PATH];
	struct stat st;
	struct dirent *d;
	DIR *dp = opendir(dir);
	enum err e;

	*sum = 0;
	if (!dp)
		return ERR_IO;
	while (errno = 0, (d = readdir(dp)))
		if (d->d_name[0] != '.' &&
		    snprintf(path, sizeof path, "%s/%s", dir, d->d_name) < (int)sizeof path &&
		    stat(path, &st) == 0 && S_ISREG(st.st_mode))
			*sum += (uint64_t)st.st_blocks * 512;
	e = errno == 0 ? ERR_OK : ERR_IO;
	closedir(dp);
	return e;
}

enum err
dir_space(const char *dir, struct dir_space *s)
{
	struct statvfs v;

	if (statvfs(dir, &v) != 0)
		return ERR_IO;
	s->total = (uint64_t)v.f_blocks * v.f_frsize;
	s->free = (uint64_t)v.f_bavail * v.f_frsize;
	s->inodes = v.f_files;
	s->inodes_free = v.f_favail;
	return used_bytes(dir, &s->used);
}

static uint64_t
part(uint64_t whole, uint64_t pct)
{
	return whole / 100 * pct;
}

static uint64_t
floor_of(const struct dir_space *s, const struct dir_limits *l)
{
	uint64_t pct = part(s->total, l->floor_pct);

	return pct < l->floor_bytes ? pct : l->floor_bytes;
}

uint64_t
dir_capacity(const struct dir_space *s, const struct dir_limits *l)
{
	uint64_t floor = floor_of(s, l);
	uint64_t room = s->used + (s->free > floor ? s->free - floor : 0);
	uint64_t cap = part(s->total, l->cap_pct);

	return room < cap ? room : cap;
}

const char *
dir_short(const struct dir_space *s, const struct dir_limits *l)
{
	if (s->free < floor_of(s, l))
		return "free space is under journal.floor_pct or journal.floor_bytes";
	if (s->inodes > 0 && s->inodes_free < part(s->inodes, l->floor_pct))
		return "free inodes are under journal.floor_pct";
	if (s->used > part(s->total, l->cap_pct))
		return "the journal is over journal.cap_pct";
	return NULL;
}

bool
dir_tight(const struct dir_space *s, const struct dir_limits *l)
{
	return s->free < 2 * floor_of(s, l) ||
	    (s->inodes > 0 && s->inodes_free < 2 * part(s->inodes, l->floor_pct)) ||
	    s->used > part(s->total, l->cap_pct) / 10 * 9;
}
