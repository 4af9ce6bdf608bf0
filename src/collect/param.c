#include "collect/param.h"

struct slice
query_param(struct slice q, const char *name)
{
	const char *p = q.p, *end = q.p + q.n, *amp;
	size_t n = strlen(name);

	while (p && p < end) {
		amp = memchr(p, '&', (size_t)(end - p));
		if (!amp)
			amp = end;
		if ((size_t)(amp - p) == n && memcmp(p, name, n) == 0)
			return (struct slice){ amp, 0 };
		if ((size_t)(amp - p) > n && memcmp(p, name, n) == 0 && p[n] == '=')
			return (struct slice){ p + n + 1, (size_t)(amp - p) - n - 1 };
		p = amp + 1;
	}
	return (struct slice){ NULL, 0 };
}
