#include "base/keyfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

#define LINE		2048
#define KEYS_MAX	100000

/* --- reading ------------------------------------------------------------------- */

static int
by_digest(const void *a, const void *b)
{
	return memcmp(((const struct key *)a)->digest, ((const struct key *)b)->digest, SHA256_BYTES);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct key *const *)a)->name, (*(const struct key *const *)b)->name);
}

static bool
parse_hex(const char *s, uint8_t *out, size_t n)
{
	unsigned v;
	size_t i;

	for (i = 0; i < n; i++, s += 2) {
		if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]) ||
		    sscanf(s, "%2x", &v) != 1)
			return false;
		out[i] = (uint8_t)v;
	}
	return *s == '\0';
}

static enum err
add(struct keyfile *k, const struct key *key)
{
	struct key *more;

	if (k->n == k->room) {
		k->room = k->room ? 2 * k->room : 16;
		more = realloc(k->key, k->room * sizeof *more);
		if (!more)
			return ERR_NOMEM;
		k->key = more;
	}
	k->key[k->n++] = *key;
	return ERR_OK;
}

/* It becomes text in PostgreSQL, with every event that came by this key. */
static bool
is_name(const char *s)
{
	return strlen(s) <= KEY_NAME_MAX && utf8_all(s);
}

static enum err
parse_line(struct keyfile *k, char *line)
{
	char *save = NULL, *digest, *name, *source, *origins;
	struct key key = { .name = NULL };
	enum err e;

	line[strcspn(line, "#\r\n")] = '\0';
	digest = strtok_r(line, " \t", &save);
	if (!digest)
		return ERR_OK;
	name = strtok_r(NULL, " \t", &save);
	source = strtok_r(NULL, " \t", &save);
	origins = strtok_r(NULL, " \t", &save);
	if (!source || strtok_r(NULL, " \t", &save) || !is_name(name) || !is_name(source) ||
	    strlen(digest) != 2 * SHA256_BYTES ||
	    !parse_hex(digest, key.digest, SHA256_BYTES) || k->n == KEYS_MAX)
		return ERR_INVALID;
	key.name = strdup(name);
	key.source = strdup(source);
	key.origins = origins ? strdup(origins) : NULL;
	e = key.name && key.source && (!origins || key.origins) ? add(k, &key) : ERR_NOMEM;
	if (e != ERR_OK) {
		free(key.name);
		free(key.source);
		free(key.origins);
	}
	return e;
}

static enum err
parse(struct keyfile *k, FILE *f, const char *path, char errmsg[256])
{
	char line[LINE];
	enum err e = ERR_OK;
	size_t len;
	bool ended;
	int n;

	for (n = 1; e == ERR_OK && fgets(line, sizeof line, f); n++) {
		len = strlen(line);
		ended = len > 0 && line[len - 1] == '\n';	/* not so at a NUL, either */
		if (!ended && feof(f)) {
			snprintf(errmsg, 256, "%.160s:%d: the line has no end: was the file cut?", path, n);
			return ERR_INVALID;
		}
		e = ended ? parse_line(k, line) : ERR_INVALID;
		if (e == ERR_INVALID)
			snprintf(errmsg, 256, "%.140s:%d: expected DIGEST NAME SOURCE [ORIGINS], NAME and SOURCE "
			    "in UTF-8, of at most %d bytes", path, n, KEY_NAME_MAX);
	}
	if (e == ERR_OK && ferror(f)) {
		snprintf(errmsg, 256, "%.200s: %s", path, strerror(errno));
		e = ERR_IO;
	}
	return e;
}

/* Two sources under one name would take each other's retries for their own. */
static enum err
check_names(const struct keyfile *k, const char *path, char errmsg[256])
{
	const struct key **list = calloc(k->n, sizeof *list);
	enum err e = ERR_OK;
	size_t i;

	if (!list)
		return ERR_NOMEM;
	for (i = 0; i < k->n; i++)
		list[i] = &k->key[i];
	qsort(list, k->n, sizeof *list, by_name);
	for (i = 1; e == ERR_OK && i < k->n; i++) {
		if (strcmp(list[i - 1]->name, list[i]->name) != 0 ||
		    strcmp(list[i - 1]->source, list[i]->source) == 0)
			continue;
		snprintf(errmsg, 256, "%.90s: the name %.36s stands for two sources, %.36s and %.36s",
		    path, list[i]->name, list[i - 1]->source, list[i]->source);
		e = ERR_INVALID;
	}
	free(list);
	return e;
}

enum err
keyfile_read(struct keyfile *k, const char *path, char errmsg[256])
{
	FILE *f = fopen(path, "re");
	enum err e;

	*k = (struct keyfile){ .n = 0 };
	if (!f) {
		e = errno == ENOENT ? ERR_DOWN : ERR_IO;
		snprintf(errmsg, 256, "%.160s: %s%s", path, strerror(errno),
		    e == ERR_DOWN ? "; `forebay key new SOURCE` makes the first key" : "");
		return e;
	}
	snprintf(errmsg, 256, "out of memory");
	e = parse(k, f, path, errmsg);
	fclose(f);
	if (e == ERR_OK && k->n == 0) {
		snprintf(errmsg, 256, "%.160s: no key in it; `forebay key new SOURCE` makes the first key", path);
		e = ERR_DOWN;
	}
	if (e == ERR_OK)
		e = check_names(k, path, errmsg);
	if (e == ERR_OK)
		qsort(k->key, k->n, sizeof *k->key, by_digest);
	else
		keyfile_free(k);
	return e;
}

void
keyfile_free(struct keyfile *k)
{
	size_t i;

	for (i = 0; i < k->n; i++) {
		free(k->key[i].name);
		free(k->key[i].source);
		free(k->key[i].origins);
	}
	free(k->key);
	*k = (struct keyfile){ .n = 0 };
}

const struct key *
keyfile_find(const struct keyfile *k, const uint8_t digest[SHA256_BYTES])
{
	const struct key *found;
	struct key want = { .name = NULL };

	memcpy(want.digest, digest, SHA256_BYTES);
	/* what the search's time tells is about a digest, and of no use without its key */
	found = k->n ? bsearch(&want, k->key, k->n, sizeof *k->key, by_digest) : NULL;
	return found && CRYPTO_memcmp(found->digest, digest, SHA256_BYTES) == 0 ? found : NULL;
}

const struct key *
keyfile_named(const struct keyfile *k, const char *name)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		if (strcmp(k->key[i].name, name) == 0)
			return &k->key[i];
	return NULL;
}

/* --- changing ------------------------------------------------------------------ */

/* The file that is meant: a link is followed, so that a rename does not replace it. */
static bool
resolve(const char *path, char out[PATH_MAX])
{
	if (realpath(path, out))
		return true;
	return errno == ENOENT && snprintf(out, PATH_MAX, "%s", path) < PATH_MAX;
}

enum err
keyfile_lock(const char *path, int *fd)
{
	char dir[PATH_MAX];

	*fd = resolve(path, dir) ? open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (*fd < 0)
		return ERR_IO;
	while (flock(*fd, LOCK_EX) != 0)
		if (errno != EINTR) {
			close(*fd);
			return ERR_IO;
		}
	return ERR_OK;
}

/* Owner and rights of the file that is replaced. A new file's group is its directory's:
 * made by root, it is still for forebayd. */
static bool
own(int fd, const char *path)
{
	char dir[PATH_MAX];
	struct stat st;

	if (stat(path, &st) == 0)
		return fchmod(fd, st.st_mode & 07777) == 0 &&
		    (fchown(fd, st.st_uid, st.st_gid) == 0 || fchown(fd, (uid_t)-1, st.st_gid) == 0);
	snprintf(dir, sizeof dir, "%s", path);
	return geteuid() != 0 ||
	    (stat(dirname(dir), &st) == 0 && fchown(fd, (uid_t)-1, st.st_gid) == 0);
}

static bool
copy(int from, int to)
{
	char part[65536];
	ssize_t n;

	while ((n = read(from, part, sizeof part)) > 0)
		if (write(to, part, (size_t)n) != n)
			return false;
	return n == 0;
}

static bool
put_line(int fd, const char *line)
{
	size_t n = strlen(line);

	return write(fd, line, n) == (ssize_t)n && write(fd, "\n", 1) == 1;
}

enum err
keyfile_add(const char *path, const char *line)
{
	char real[PATH_MAX], tmp[PATH_MAX + 8];
	int from, to, why;
	bool good;

	if (!resolve(path, real))
		return ERR_IO;
	snprintf(tmp, sizeof tmp, "%s.tmp", real);
	unlink(tmp);		/* of somebody who was killed */
	to = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (to < 0)
		return ERR_IO;
	from = open(real, O_RDONLY | O_CLOEXEC);
	good = (from >= 0 ? copy(from, to) : errno == ENOENT) && put_line(to, line) && own(to, real) &&
	    fsync(to) == 0 && rename(tmp, real) == 0;
	why = errno;
	if (from >= 0)
		close(from);
	close(to);
	if (good)
		return file_sync_dir(dirname(real));
	unlink(tmp);
	errno = why;
	return ERR_IO;
}
