#include "base/mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mounts {
	FILE *f;
	char *line;
	size_t room;
};

enum err
mounts_open(struct mounts **out, const char *path)
{
	struct mounts *m = calloc(1, sizeof *m);

	*out = NULL;
	if (!m)
		return ERR_NOMEM;
	m->f = fopen(path, "re");
	if (!m->f) {
		free(m);
		return ERR_IO;
	}
	*out = m;
	return ERR_OK;
}

void
mounts_close(struct mounts **mp)
{
	if (!*mp)
		return;
	fclose((*mp)->f);
	free((*mp)->line);
	free(*mp);
	*mp = NULL;
}

/* "36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool
parse(char *line, struct mount *m)
{
	char *words[6], *rest = line;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = strsep(&rest, " ");
	*m = (struct mount){ .id = strtol(line, NULL, 10), .root = words[3], .point = words[4] };
	rest = rest ? strstr(rest, "- ") : NULL;	/* no optional field ends so */
	if (!rest)
		return false;
	rest += 2;
	m->type = strsep(&rest, " ");
	strsep(&rest, " ");
	m->options = strsep(&rest, "\n");
	return m->options != NULL;
}

bool
mounts_next(struct mounts *all, struct mount *m)
{
	while (getline(&all->line, &all->room, all->f) > 0)
		if (parse(all->line, m))
			return true;
	return false;
}

static bool
is_octal(const char *p, size_t n)
{
	return n >= 4 && p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
	    p[3] >= '0' && p[3] <= '7';
}

bool
mounts_unescape(char *out, size_t size, const char *word, size_t n)
{
	size_t i, to = 0;

	for (i = 0; i < n && to + 1 < size; i++) {
		out[to] = word[i];
		if (is_octal(word + i, n - i)) {
			out[to] = (char)((word[i + 1] - '0') << 6 | (word[i + 2] - '0') << 3 | (word[i + 3] - '0'));
			i += 3;
		}
		to++;
	}
	out[to] = '\0';
	return i == n;
}

const char *
mounts_option(const char **at, size_t *n)
{
	const char *start = *at;

	*n = strcspn(start, ",");
	*at += *n + (start[*n] == ',');
	return *start ? start : NULL;
}
