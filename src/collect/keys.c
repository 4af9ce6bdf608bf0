#include "collect/keys.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "collect/param.h"

#define KEY_MAX		256	/* bytes of a key as shown */
#define NAME_MAX_BYTES	128
#define LINE		2048
#define KEYS_MAX	100000

struct keys {
	struct key *key;	/* sorted by digest */
	size_t n, room;
	char path[1024];
	struct timespec changed;
	ino_t inode;
	off_t size;		/* for two changes within one tick of the file system's clock */
};

static int
by_digest(const void *a, const void *b)
{
	return memcmp(((const struct key *)a)->digest, ((const struct key *)b)->digest, SHA256_BYTES);
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
add(struct keys *k, const struct key *key)
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
	return strlen(s) <= NAME_MAX_BYTES && utf8_all(s);
}

static enum err
parse_line(struct keys *k, char *line)
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
read_file(struct keys *k, FILE *f, char errmsg[256])
{
	char line[LINE];
	struct stat st;
	enum err e = ERR_OK;
	int n;

	if (fstat(fileno(f), &st) != 0)
		return ERR_IO;
	k->changed = st.st_mtim;
	k->inode = st.st_ino;
	k->size = st.st_size;
	for (n = 1; e == ERR_OK && fgets(line, sizeof line, f); n++) {
		e = strlen(line) < sizeof line - 1 ? parse_line(k, line) : ERR_INVALID;
		if (e == ERR_INVALID)
			snprintf(errmsg, 256, "%.140s:%d: expected DIGEST NAME SOURCE [ORIGINS], NAME and SOURCE "
			    "in UTF-8, of at most %d bytes", k->path, n, NAME_MAX_BYTES);
	}
	if (e == ERR_OK && ferror(f)) {
		snprintf(errmsg, 256, "%.200s: %s", k->path, strerror(errno));
		e = ERR_IO;
	}
	return e;
}

enum err
keys_load(struct keys **out, const char *path, char errmsg[256])
{
	struct keys *k = calloc(1, sizeof *k);
	FILE *f;
	enum err e;

	*out = NULL;
	snprintf(errmsg, 256, "out of memory");
	if (!k)
		return ERR_NOMEM;
	snprintf(k->path, sizeof k->path, "%s", path);
	f = fopen(path, "re");
	if (!f) {
		snprintf(errmsg, 256, "%.160s: %s; `forebay key new SOURCE` makes the first key",
		    path, strerror(errno));
		keys_free(&k);
		return ERR_INVALID;
	}
	e = read_file(k, f, errmsg);
	fclose(f);
	if (e != ERR_OK)
		keys_free(&k);
	else if (k->n > 0)
		qsort(k->key, k->n, sizeof *k->key, by_digest);
	*out = k;
	return e;
}

void
keys_free(struct keys **kp)
{
	struct keys *k = *kp;
	size_t i;

	if (!k)
		return;
	for (i = 0; i < k->n; i++) {
		free(k->key[i].name);
		free(k->key[i].source);
		free(k->key[i].origins);
	}
	free(k->key);
	free(k);
	*kp = NULL;
}

bool
keys_stale(const struct keys *k)
{
	struct stat st;

	return stat(k->path, &st) != 0 || st.st_ino != k->inode || st.st_size != k->size ||
	    st.st_mtim.tv_sec != k->changed.tv_sec || st.st_mtim.tv_nsec != k->changed.tv_nsec;
}

/* "Scheme rest", the scheme in any case. */
static bool
has_scheme(struct slice s, const char *scheme, struct slice *rest)
{
	size_t n = strlen(scheme);

	if (s.n <= n || strncasecmp(s.p, scheme, n) != 0 || s.p[n] != ' ')
		return false;
	while (n < s.n && s.p[n] == ' ')
		n++;
	*rest = (struct slice){ s.p + n, s.n - n };
	return true;
}

/* The user part of Basic credentials, decoded into out (KEY_MAX bytes). The colon
 * may be missing; some clients leave it out. */
static struct slice
basic_user(struct slice b64, char out[KEY_MAX])
{
	unsigned char in[KEY_MAX + 4], raw[KEY_MAX + 4];
	size_t n = b64.n;
	const char *colon;
	int got;

	if (n == 0 || n > KEY_MAX)
		return (struct slice){ NULL, 0 };
	memcpy(in, b64.p, n);
	while (n % 4)			/* padding that was left out */
		in[n++] = '=';
	got = EVP_DecodeBlock(raw, in, (int)n);
	if (got <= 0)
		return (struct slice){ NULL, 0 };
	while (n > 0 && in[n - 1] == '=' && got > 0) {
		got--;
		n--;
	}
	colon = memchr(raw, ':', (size_t)got);
	if (colon)
		got = (int)(colon - (const char *)raw);
	memcpy(out, raw, (size_t)got);
	return (struct slice){ out, (size_t)got };
}

static struct slice
presented(const struct credentials *c, char out[KEY_MAX])
{
	struct slice rest;

	if (has_scheme(c->authorization, "Bearer", &rest))
		return rest;
	if (has_scheme(c->authorization, "Basic", &rest))
		return basic_user(rest, out);
	if (c->x_api_key.n > 0)
		return c->x_api_key;
	return query_param(c->query, "key");
}

static bool
origin_allowed(const struct key *k, struct slice origin)
{
	const char *p = k->origins;
	size_t n;

	/* no Origin: not a browser, whom the list is for */
	for (; p && origin.n > 0; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		if (n == 0)
			return false;
		if (n == origin.n && memcmp(p, origin.p, n) == 0)
			return true;
	}
	return true;
}

enum refusal
keys_check(const struct keys *k, struct sha256 *sha, const struct credentials *c, const struct key **out)
{
	char room[KEY_MAX];
	struct slice shown = presented(c, room);
	struct key want;
	const struct key *found;

	*out = NULL;
	if (shown.n == 0 || shown.n > KEY_MAX)
		return REFUSE_UNAUTHORIZED;
	sha256_begin(sha);
	sha256_put(sha, shown);
	if (sha256_end(sha, want.digest) != ERR_OK)
		return REFUSE_UNAVAILABLE;
	/* what the search's time tells is about a digest, and of no use without its key */
	found = k->n ? bsearch(&want, k->key, k->n, sizeof *k->key, by_digest) : NULL;
	if (!found || CRYPTO_memcmp(found->digest, want.digest, SHA256_BYTES) != 0)
		return REFUSE_UNAUTHORIZED;
	if (!origin_allowed(found, c->origin))
		return REFUSE_FORBIDDEN;
	*out = found;
	return REFUSE_NONE;
}
