#include "journal/ahead.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#define AHEAD	(63 * (24 + 4096))	/* whole frames */

static const char zeros[AHEAD];

void
ahead_open(struct ahead *a, const char *wal)
{
	*a = (struct ahead){ .fd = open(wal, O_WRONLY | O_CLOEXEC) };
}

void
ahead_keep(struct ahead *a, uint64_t used, uint64_t turn)
{
	uint64_t from = a->end > used ? a->end : used;

	/* small segments are not worth it; large turns gain little, and would be written twice */
	if (a->fd < 0 || used < AHEAD / 4 || turn > AHEAD / 4 || used + turn <= a->end)
		return;
	if (pwrite(a->fd, zeros, AHEAD, (off_t)from) != AHEAD) {
		ahead_close(a);
		return;
	}
	a->end = from + AHEAD;
	/* on its way before the next commit waits for it */
	(void)sync_file_range(a->fd, (off_t)from, AHEAD, SYNC_FILE_RANGE_WRITE);
}

void
ahead_close(struct ahead *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}
