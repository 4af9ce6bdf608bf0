#include "cli/clean.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define CHUNK	4096

/* A code point that controls: C0, DEL, C1, and the embeddings, overrides and isolates of
 * bidirectional text (https://www.unicode.org/reports/tr9/, table 4). */
static bool
controls(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
	    (c >= 0x2066 && c <= 0x2069);
}

static uint32_t
code_point(const unsigned char *p, size_t len)
{
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7FU >> len);
	size_t i;

	for (i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3FU);
	return c;
}

size_t
clean_char(const unsigned char *p, size_t n, bool *plain)
{
	size_t len = utf8_char(p, n);

	*plain = len > 0 && !controls(code_point(p, len));
	return len > 0 ? len : 1;
}

/* --- a stream that is clean ------------------------------------------------------------- */

/* What stands between stdio and a terminal. */
struct terminal {
	int fd;
	unsigned char left[4];		/* the beginning of a character whose end is to come */
	size_t n_left;
};
static struct terminal terminals[2] = { { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };

static bool
write_all(int fd, const char *p, size_t n)
{
	ssize_t done;

	for (; n > 0; p += done, n -= (size_t)done) {
		done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done <= 0)
			return false;
	}
	return true;
}

/* Is that the beginning of a character, with nothing behind it yet? */
static bool
begins_char(const unsigned char *p, size_t n)
{
	size_t i, len = p[0] < 0xC2 || p[0] > 0xF4 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

	for (i = 1; i < n && i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return false;
	return n < len;
}

/* Cleans p into out, and returns how much of it: all but a character's beginning. */
static size_t
clean_into(struct buf *out, const unsigned char *p, size_t n)
{
	size_t i, len;
	bool plain;

	for (i = 0; i < n; i += len) {
		len = clean_char(p + i, n - i, &plain);
		if (!plain && len == 1 && begins_char(p + i, n - i))
			break;
		if (plain || p[i] == '\n' || p[i] == '\t')
			buf_put(out, p + i, len);
		else
			buf_puts(out, "?");
	}
	return i;
}

static ssize_t
write_clean(void *arg, const char *p, size_t n)
{
	struct terminal *t = arg;
	unsigned char in[CHUNK + sizeof t->left];
	struct buf out;
	size_t done, k, have, used;
	bool good = true;

	buf_init(&out, 2 * sizeof in);
	for (done = 0; good && done < n; done += k) {
		k = n - done < CHUNK ? n - done : CHUNK;
		memcpy(in, t->left, t->n_left);
		memcpy(in + t->n_left, p + done, k);
		have = t->n_left + k;
		buf_reset(&out);
		used = clean_into(&out, in, have);
		t->n_left = have - used;
		memcpy(t->left, in + used, t->n_left);
		good = !out.failed && write_all(t->fd, out.p, out.n);
	}
	buf_fini(&out);
	return good ? (ssize_t)n : 0;
}

void
clean_terminal(void)
{
	static const cookie_io_functions_t io = { .write = write_clean };
	FILE *out = isatty(STDOUT_FILENO) ? fopencookie(&terminals[0], "w", io) : NULL;
	FILE *err = isatty(STDERR_FILENO) ? fopencookie(&terminals[1], "w", io) : NULL;

	if (out) {
		setvbuf(out, NULL, _IOLBF, BUFSIZ);
		stdout = out;
	}
	if (err) {
		setvbuf(err, NULL, _IONBF, 0);
		stderr = err;
	}
}
