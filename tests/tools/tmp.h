/* A directory of the test's own, removed with all that is in it. */
#ifndef TESTS_TMP_H
#define TESTS_TMP_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TMP_PATH 256

static inline int
tmp_remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static inline void
tmp_make(char dir[TMP_PATH])
{
	const char *base = getenv("TMPDIR");

	snprintf(dir, TMP_PATH, "%s/forebay-test-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(dir)) {
		puts("Bail out! no temporary directory");
		exit(1);
	}
}

static inline void
tmp_remove(const char *dir)
{
	nftw(dir, tmp_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline FILE *
tmp_open(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f) {
		printf("Bail out! cannot open %s\n", path);
		exit(1);
	}
	return f;
}

static inline void
tmp_write(const char *path, const char *text)
{
	FILE *f = tmp_open(path);

	if (fputs(text, f) < 0 || fclose(f) != 0) {
		printf("Bail out! cannot write %s\n", path);
		exit(1);
	}
}

#endif
