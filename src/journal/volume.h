/*
 * What a directory lies on, and whether what is fsynced there survives.
 */
#ifndef JOURNAL_VOLUME_H
#define JOURNAL_VOLUME_H

#include "base/err.h"

#define VOLUME_TEXT	1024

/*
 * ERR_INVALID, with the reason and what to do in errmsg: memory, network and FUSE file
 * systems, copy-on-write ones, those mounted so that fsync does not reach the disk, and
 * those with blocks smaller than a page. Looks through overlays and loop devices at what
 * is beneath; an overlay whose upper layer cannot be seen is a container's own and is
 * refused. ERR_IO: the directory cannot be read. What is not known to be bad passes:
 * OPERATIONS.md names what was tried.
 */
enum err volume_check(const char *dir, char errmsg[VOLUME_TEXT]) MUST_CHECK;

#endif
