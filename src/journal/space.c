/* Space on the journal's volume, and what kind of volume it is. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

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

enum err
dir_check_filesystem(const char *dir, char errmsg[256])
{
	/* f_type of statfs(2); memory and network cannot promise what an ack says */
	static const struct { unsigned long type; const char *name; } unsafe[] = {
		{ 0x01021994, "tmpfs" }, { 0x858458F6, "ramfs" }, { 0x6969, "NFS" },
		{ 0xFF534D42, "CIFS" }, { 0xFE534D42, "SMB" }, { 0x01021997, "9p" },
		{ 0x00C36400, "Ceph" }, { 0x5346414F, "AFS" },
	};
	struct statfs s;
	size_t i;

	if (statfs(dir, &s) != 0) {
		snprintf(errmsg, 256, "%.200s: cannot be read", dir);
		return ERR_IO;
	}
	for (i = 0; i < ARRAY_SIZE(unsafe); i++)
		if ((unsigned long)s.f_type == unsafe[i].type) {
			snprintf(errmsg, 256, "%.200s is on %s", dir, unsafe[i].name);
			return ERR_INVALID;
		}
	/* SQLite makes sure of space for its mapped index page by page, by one byte
	 * each: in smaller blocks a full volume would end processes with SIGBUS */
	if (s.f_bsize < 4096) {
		snprintf(errmsg, 256, "%.180s has blocks of %ld bytes; 4096 is the least", dir,
		    (long)s.f_bsize);
		return ERR_INVALID;
	}
	return ERR_OK;
}
