#include "journal/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mounts.h"

#define LAYERS	8		/* a volume beneath a volume beneath ... */
#define BLOCK	4096

#define OVERLAY	0x794C7630

#define MEMORY	"it is memory, and gone after a restart"
#define SHARED	"a server or other machines have a part in when data is safe, and who holds a lock"
#define PROGRAM	"a program decides what fsync does there"
#define COPIES	"it copies on write, so that a full volume ends programs that write to a mapped page"

/* f_type of statfs(2), from linux/magic.h, else from the file system's own source. */
static const struct kind { unsigned long type; const char *name, *why; } refused[] = {
	{ 0x01021994, "tmpfs", MEMORY },	{ 0x858458F6, "ramfs", MEMORY },
	{ 0x6969, "NFS", SHARED },		{ 0xFF534D42, "CIFS", SHARED },
	{ 0xFE534D42, "SMB", SHARED },		{ 0x517B, "SMB", SHARED },
	{ 0x01021997, "9p", SHARED },		{ 0x00C36400, "Ceph", SHARED },
	{ 0x5346414F, "AFS", SHARED },		{ 0x6B414653, "AFS", SHARED },
	{ 0x0BD00BD0, "Lustre", SHARED },	{ 0x47504653, "GPFS", SHARED },
	{ 0x19830326, "BeeGFS", SHARED },	{ 0x20030528, "OrangeFS", SHARED },
	{ 0x73757245, "Coda", SHARED },		{ 0x01161970, "GFS2", SHARED },
	{ 0x7461636F, "OCFS2", SHARED },	{ 0x786F4256, "vboxsf", SHARED },
	{ 0xBACBACBC, "vmhgfs", SHARED },
	{ 0x65735546, "FUSE", PROGRAM },	/* virtiofs, too */
	{ 0x9123683E, "btrfs", COPIES },	{ 0xCA451A4E, "bcachefs", COPIES },
	{ 0x3434, "nilfs2", COPIES },		/* decisions/0009 */
};

/* Options under which fsync returns before the disk has what it was given. */
static const char *const forgetful[] = {
	"volatile", "fsync=volatile",			/* overlay */
	"nobarrier", "barrier=0", "barrier=none",	/* ext3, ext4, reiserfs */
	"fsync_mode=nobarrier",				/* f2fs */
};

/* What there is to know of one layer, and why it will not do. */
struct layer {
	struct statfs fs;
	dev_t dev;
	struct mounts *mounts;
	struct mount mount;		/* type NULL: it is not in the list, as in a chroot */
	char name[64];
	char why[512];			/* "" when nothing speaks against it */
};

/* --- looking ----------------------------------------------------------------------- */

static long
mount_id(int fd)
{
	char path[64], text[512];
	const char *at;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	if (file_read(path, text, sizeof text) != ERR_OK)
		return -1;
	at = strstr(text, "mnt_id:");
	return at ? strtol(at + 7, NULL, 10) : -1;
}

static void
find_mount(struct layer *l, long id)
{
	if (id < 0 || mounts_open(&l->mounts, "/proc/self/mountinfo") != ERR_OK)
		return;
	while (mounts_next(l->mounts, &l->mount))
		if (l->mount.id == id)
			return;
	l->mount.type = NULL;
}

static enum err
look(struct layer *l, const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC), cause;
	struct stat st;
	bool good;

	*l = (struct layer){ .mounts = NULL };
	if (fd < 0)
		return ERR_IO;
	good = fstatfs(fd, &l->fs) == 0 && fstat(fd, &st) == 0;
	cause = errno;
	if (good) {
		l->dev = st.st_dev;
		find_mount(l, mount_id(fd));
	}
	close(fd);
	errno = cause;
	return good ? ERR_OK : ERR_IO;
}

/* --- judging ----------------------------------------------------------------------- */

static void
judge_kind(struct layer *l)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		if ((unsigned long)l->fs.f_type == refused[i].type) {
			snprintf(l->name, sizeof l->name, "%s", refused[i].name);
			snprintf(l->why, sizeof l->why, "%s", refused[i].why);
		}
}

static void
judge_options(struct layer *l)
{
	const char *at = l->mount.options, *word;
	size_t n, i;

	while (!l->why[0] && l->mount.type && (word = mounts_option(&at, &n)))
		for (i = 0; i < ARRAY_SIZE(forgetful); i++)
			if (n == strlen(forgetful[i]) && memcmp(word, forgetful[i], n) == 0)
				snprintf(l->why, sizeof l->why, "it is mounted %s, so that fsync does not "
				    "reach the disk", forgetful[i]);
}

/* SQLite makes sure of space for its mapped index page by page, by one byte each: in
 * smaller blocks a full volume would end processes with SIGBUS. */
static void
judge_blocks(struct layer *l)
{
	if (!l->why[0] && l->fs.f_bsize < BLOCK)
		snprintf(l->why, sizeof l->why, "it has blocks of %ld bytes, and %d is the least",
		    (long)l->fs.f_bsize, BLOCK);
}

/* --- what is beneath ----------------------------------------------------------------- */

/* false, and why: the upper layer is not to be seen. */
static bool
find_upper(struct layer *l, char beneath[PATH_MAX])
{
	static const char key[] = "upperdir=";
	const char *at = l->mount.options, *word = NULL;
	size_t n;

	while (l->mount.type && (word = mounts_option(&at, &n)))
		if (strncmp(word, key, sizeof key - 1) == 0)
			break;
	if (word && mounts_unescape(beneath, PATH_MAX, word + sizeof key - 1, n - (sizeof key - 1)) &&
	    beneath[0] == '/' && access(beneath, F_OK) == 0)
		return true;
	snprintf(l->why, sizeof l->why, "its upper layer cannot be seen from here, as in a container, with which "
	    "it would be removed; give the container a volume at this place (docker run -v forebay:/var/lib/forebay)");
	return false;
}

/* A loop device's file, and disks that are memory. */
static bool
find_backing(struct layer *l, char beneath[PATH_MAX])
{
	char path[96], disk[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(l->dev), minor(l->dev));
	n = readlink(path, disk, sizeof disk - 1);
	if (n <= 0)
		return false;
	disk[n] = '\0';
	name = strrchr(disk, '/') ? strrchr(disk, '/') + 1 : disk;
	if (strncmp(name, "zram", 4) == 0 || strncmp(name, "ram", 3) == 0)
		snprintf(l->why, sizeof l->why, "its disk is %.32s: " MEMORY, name);
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/loop/backing_file", major(l->dev), minor(l->dev));
	return file_read(path, beneath, PATH_MAX) == ERR_OK && access(beneath, F_OK) == 0;
}

static bool
descend(struct layer *l, char beneath[PATH_MAX])
{
	if (l->why[0])
		return false;
	return (unsigned long)l->fs.f_type == OVERLAY ? find_upper(l, beneath) : find_backing(l, beneath);
}

static void
name(struct layer *l)
{
	if (l->mount.type)		/* "fuse.sshfs" says more */
		snprintf(l->name, sizeof l->name, "%s", l->mount.type);
	else if ((unsigned long)l->fs.f_type == OVERLAY)
		snprintf(l->name, sizeof l->name, "overlay");
	else if (!l->name[0])
		snprintf(l->name, sizeof l->name, "a file system of type 0x%lx", (unsigned long)l->fs.f_type);
}

enum err
volume_check(const char *dir, char errmsg[VOLUME_TEXT])
{
	char path[PATH_MAX], beneath[PATH_MAX] = "";
	struct layer l;
	bool deeper = true;
	int i;

	snprintf(path, sizeof path, "%s", dir);
	for (i = 0; deeper && i < LAYERS; i++) {
		if (look(&l, path) != ERR_OK) {
			snprintf(errmsg, VOLUME_TEXT, "%.200s: %s", path, strerror(errno));
			return ERR_IO;
		}
		judge_kind(&l);
		judge_options(&l);
		judge_blocks(&l);
		deeper = descend(&l, beneath);
		name(&l);
		mounts_close(&l.mounts);
		if (l.why[0]) {
			snprintf(errmsg, VOLUME_TEXT, "%.200s is on %s: %s. Take a directory on a local disk with "
			    "ext4 or XFS, or set journal.any_filesystem = yes", path, l.name, l.why);
			return ERR_INVALID;
		}
		snprintf(path, sizeof path, "%s", beneath);
	}
	return ERR_OK;
}
