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
#define COUNTER(program, name, kind, metric, doc) { #program, #name, #kind, metric, doc },
#define REFUSAL(name, code, status, message) { "collect", "answers_" code "_total", "COUNTER", \
	"forebay_answers_total{code=\"" code "\"}", "Requests answered, by code: ok, or why not." },
#include "counters.def"
};

const struct stat_info stat_times_infos[TIMES_COUNT] = {
#define TIMES(program, name, metric, doc) { #program, #name, "HISTOGRAM", metric, doc },
#include "counters.def"
};

const uint32_t stat_bounds_us[STAT_BUCKETS - 1] = {
	250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	1000000, 2500000, 5000000,
};

static uint64_t
fnv1a(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	while (n-- > 0)
		h = (h ^ *p++) * 1099511628211U;
	return h;
}

static struct header
header_of(uint32_t n)
{
	struct header h = { "forebay", n, STAT_COUNT, 14695981039346656037U, "" };
	size_t i;

	for (i = 0; i < STAT_COUNT; i++)
		h.shape = fnv1a(h.shape, stat_infos[i].name, strlen(stat_infos[i].name));
	for (i = 0; i < TIMES_COUNT; i++)
		h.shape = fnv1a(h.shape, stat_times_infos[i].name, strlen(stat_times_infos[i].name));
	h.shape = fnv1a(h.shape, stat_bounds_us, sizeof stat_bounds_us);
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

/* Does fd hold a file of our shape? Then n is its number of slots. */
static bool
read_header(int fd, uint32_t *n)
{
	struct header got, want;
	struct stat st;

	if (pread(fd, &got, sizeof got, 0) != sizeof got || fstat(fd, &st) != 0)
		return false;
	want = header_of(got.n);
	*n = got.n;
	return memcmp(&got, &want, sizeof got) == 0 && (size_t)st.st_size == size_of(got.n);
}

enum err
stat_create(struct stat_file *f, const char *dir, const char *name, uint32_t n)
{
	char path[1024];
	struct header h = header_of(n);
	uint32_t have;
	int fd;

	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		return ERR_INVALID;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && read_header(fd, &have) && have >= n)
		return map(f, fd, have, PROT_READ | PROT_WRITE);
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
	uint32_t n;
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

struct stat_histogram
stat_times_sum(const struct stat_file *f, enum stat_times t)
{
	struct stat_histogram sum = { 0 };
	const struct stat_histogram *h;
	uint32_t i;
	size_t b;

	for (i = 0; i < f->n; i++) {
		h = &f->slots[i].t[t];
		sum.us += __atomic_load_n(&h->us, __ATOMIC_RELAXED);
		for (b = 0; b < STAT_BUCKETS; b++)
			sum.n[b] += __atomic_load_n(&h->n[b], __ATOMIC_RELAXED);
	}
	return sum;
}

void
stat_observe(struct stat_slot *s, enum stat_times t, int64_t us)
{
	struct stat_histogram *h = &s->t[t];
	size_t b = 0;

	while (b < STAT_BUCKETS - 1 && us > stat_bounds_us[b])
		b++;
	__atomic_store_n(&h->n[b], h->n[b] + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&h->us, h->us + (us > 0 ? (uint64_t)us : 0), __ATOMIC_RELAXED);
}
