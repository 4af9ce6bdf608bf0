#include "sink/sqlfile.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/errmsg.h"

#define FILES_MAX	1000
#define SIZE_LIMIT	(1024 * 1024)

/* "0001-name.sql" */
static int
file_number(const char *name)
{
	size_t n = strlen(name);
	char *end;
	long number = strtol(name, &end, 10);

	if (end != name + 4 || *end != '-' || n >= SQLFILE_NAME || n < 9 || number < 1 ||
	    strcmp(name + n - 4, ".sql") != 0)
		return 0;
	return (int)number;
}

static int
by_number(const void *a, const void *b)
{
	const struct sqlfile *x = a, *y = b;

	return x->number - y->number;
}

static void
checksum(struct sqlfile *f)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	size_t i;

	SHA256((const unsigned char *)f->text.p, f->text.n, digest);
	for (i = 0; i < sizeof digest; i++)
		snprintf(f->checksum + 2 * i, 3, "%02x", digest[i]);
}

static enum err
read_file(struct sqlfile *f, const char *dir, char errmsg[ERRMSG])
{
	char path[1024], piece[4096];
	size_t got;
	FILE *in;
	bool good;

	if (snprintf(path, sizeof path, "%s/%s", dir, f->name) >= (int)sizeof path)
		return errmsg_set(errmsg, ERR_IO, "%.200s: the name is too long", dir);
	in = fopen(path, "re");
	if (!in)
		return errmsg_set(errmsg, ERR_IO, "%.300s: %s", path, strerror(errno));
	while ((got = fread(piece, 1, sizeof piece, in)) > 0)
		buf_put(&f->text, piece, got);
	good = !ferror(in);
	fclose(in);
	if (good)
		checksum(f);
	buf_put(&f->text, "", 1);
	return good && !f->text.failed ? ERR_OK : errmsg_set(errmsg, ERR_IO, "%.300s: cannot be read whole", path);
}

static enum err
list_files(struct sqlfile *files, size_t *n, const char *dir, char errmsg[ERRMSG])
{
	DIR *dp = opendir(dir);
	struct dirent *d;
	int number;

	if (!dp)
		return errmsg_set(errmsg, ERR_IO, "%.300s: %s", dir, strerror(errno));
	while ((d = readdir(dp)) && *n < FILES_MAX) {
		number = file_number(d->d_name);
		if (number == 0)
			continue;
		files[*n].number = number;
		snprintf(files[*n].name, SQLFILE_NAME, "%.127s", d->d_name);
		buf_init(&files[(*n)++].text, SIZE_LIMIT);
	}
	closedir(dp);
	return *n > 0 ? ERR_OK : errmsg_set(errmsg, ERR_IO, "%.300s: there are no migrations (NNNN-*.sql)", dir);
}

enum err
sqlfiles_read(struct sqlfile **out, size_t *n, const char *dir, char errmsg[ERRMSG])
{
	struct sqlfile *files = calloc(FILES_MAX, sizeof *files);
	enum err e;
	size_t i;

	*out = files;
	*n = 0;
	if (!files)
		return errmsg_set(errmsg, ERR_NOMEM, "out of memory");
	e = list_files(files, n, dir, errmsg);
	if (e == ERR_OK)
		qsort(files, *n, sizeof *files, by_number);
	for (i = 0; e == ERR_OK && i < *n; i++) {
		if (i > 0 && files[i].number == files[i - 1].number)
			e = errmsg_set(errmsg, ERR_INVALID, "%s and %s have the same number", files[i - 1].name,
			    files[i].name);
		else
			e = read_file(&files[i], dir, errmsg);
	}
	return e;
}

void
sqlfiles_free(struct sqlfile **files, size_t n)
{
	while (n > 0)
		buf_fini(&(*files)[--n].text);
	free(*files);
	*files = NULL;
}
