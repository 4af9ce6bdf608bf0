/*
 * Runs a fuzz target over its corpus without a fuzzer: each file, and each short
 * one cut at every byte. Of ./fuzz_decode the corpus is corpus/decode beside the
 * sources, or the directory that is named.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "tools/tap.h"

#define LONGEST	(1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
run_file(const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *p = malloc(LONGEST), *exact;
	size_t n, cut;

	CHECK(f && p);
	n = fread(p, 1, LONGEST, f);
	fclose(f);
	for (cut = n <= 300 ? 0 : n; cut <= n; cut++) {
		exact = malloc(cut ? cut : 1);	/* so that a byte too far is seen */
		CHECK(exact);
		memcpy(exact, p, cut);
		LLVMFuzzerTestOneInput(exact, cut);
		free(exact);
	}
	free(p);
}

int
main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir"), *name = strstr(argv[0], "fuzz_");
	char dir[1000], path[1300];
	struct dirent *e;
	size_t files = 0;
	DIR *d;

	while (name && strstr(name + 1, "fuzz_"))
		name = strstr(name + 1, "fuzz_");
	CHECK(name);
	snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/%s", top ? top : ".", name + strlen("fuzz_"));
	if (argc > 1)
		snprintf(dir, sizeof dir, "%s", argv[1]);
	d = opendir(dir);
	if (!d) {
		printf("Bail out! no %s\n", dir);
		return 1;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		run_file(path);
		files++;
	}
	closedir(d);
	ok(files > 0, "%zu files", files);
	return done();
}
