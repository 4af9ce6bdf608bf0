#include "base/stat.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

/* Changes with the table, so that a file of another build is not misread. */
struct header { char magic[8]; uint32_t n, n_counters; uint64_t shape; char pad[40]; };
_Static_assert(sizeof(struct header) == 64, "slots start aligned");

const struct stat_info stat_infos[STAT_COUNT] = {
#define COUNTER(program, name, kind, doc) { #program, #name, #kind, doc },
#include "counters.def"
#undef COUNTER
};

static struct header
header_of(uint32_t n)
{
	struct header h = { "forebay", n, STAT_COUNT, 14695981039346656037U, "" };
	const char *p;
	size_t i;

	for (i = 0; i < STAT_COUNT; i++)	/* FNV-1a over the names */
		for (p = stat_infos[i].name; *p; p++)
			h.shape = (h.shape ^ (unsigned char)*p) * 1099511628211U;
	return h;
}

static size_t
size_of(uint32_t n)
{
	return sizeof(struct header) + n * sizeof(struct stat_slot);
}

static enum err
map(struct stat_file *f, int fd, uint32_t n, int prot)
{
	char *p = mmap(NULL, size_of(n), prot, MAP_SHARED, fd, 0);

	close(fd);
	if (p == MAP_FAILED)
		return ERR_NOMEM;
	f->slots = (void *)(p + sizeof(struct header));
	f->n = n;
	return ERR_OK;
}

/* Does fd hold a file of our shape? n: 0 takes any number of slots. */
static bool
read_header(int fd, uint32_t *n)
{
	struct header got, want;
	struct stat st;

	if (pread(fd, &got, sizeof got, 0) != sizeof got || fstat(fd, &st) != 0)
		return false;
	want = header_of(*n ? *n : got.n);
	*n = got.n;
	return memcmp(&got, &want, sizeof got) == 0 && (size_t)st.st_size == size_of(got.n);
}

enum err
stat_create(struct stat_file *f, const char *dir, const char *name, uint32_t n)
{
	char path[1024];
	struct header h = header_of(n);
	uint32_t have = n;
	int fd;

	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		return ERR_INVALID;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && read_header(fd, &have))
		return map(f, fd, n, PROT_READ | PROT_WRITE);
	if (fd >= 0)
		close(fd);
	unlink(path);		/* readers keep the old one until they look again */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return ERR_IO;
	if (ftruncate(fd, (off_t)size_of(n)) != 0 || pwrite(fd, &h, sizeof h, 0) != sizeof h) {
		close(fd);
		return ERR_IO;
	}
	return map(f, fd, n, PROT_READ | PROT_WRITE);
}

enum err
stat_open(struct stat_file *f, const char *dir, const char *name)
{
	char path[1024];
	uint32_t n = 0;
	int fd;

	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		return ERR_INVALID;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ERR_DOWN;
	if (!read_header(fd, &n)) {
		close(fd);
		return ERR_DOWN;
	}
	return map(f, fd, n, PROT_READ);
}

void
stat_close(struct stat_file *f)
{
	if (f->slots)
		munmap((char *)f->slots - sizeof(struct header), size_of(f->n));
	f->slots = NULL;
	f->n = 0;
}

uint64_t
stat_sum(const struct stat_file *f, enum stat_counter c)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < f->n; i++)
		sum += __atomic_load_n(&f->slots[i].v[c], __ATOMIC_RELAXED);
	return sum;
}
