#include "collect/keys.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "collect/param.h"

#define KEY_MAX		256	/* bytes of a key as shown */

/* Which file was read; all zero: none. */
struct mark {
	struct timespec changed;
	ino_t inode;
	off_t size;		/* for two changes within one tick of the file system's clock */
};

struct keys {
	struct keyfile file;	/* in force */
	char path[1024];
	struct mark seen;	/* the file that was looked at last, refused or not */
	bool refused;
};

static struct mark
look(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return (struct mark){ .inode = 0 };
	return (struct mark){ st.st_mtim, st.st_ino, st.st_size };
}

static bool
same(const struct mark *a, const struct mark *b)
{
	return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
	    a->changed.tv_nsec == b->changed.tv_nsec;
}

enum err
keys_open(struct keys **out, const char *path, char errmsg[256])
{
	struct keys *k = calloc(1, sizeof *k);
	enum err e;

	*out = NULL;
	snprintf(errmsg, 256, "out of memory");
	if (!k)
		return ERR_NOMEM;
	snprintf(k->path, sizeof k->path, "%s", path);
	k->seen = look(path);		/* before it is read: a change meanwhile is seen later */
	e = keyfile_read(&k->file, path, errmsg);
	if (e == ERR_OK)
		*out = k;
	else
		keys_close(&k);
	return e;
}

void
keys_close(struct keys **kp)
{
	if (!*kp)
		return;
	keyfile_free(&(*kp)->file);
	free(*kp);
	*kp = NULL;
}

bool
keys_refresh(struct keys *k)
{
	struct mark now = look(k->path);
	struct keyfile fresh;
	char errmsg[256];
	enum err e;

	if (same(&now, &k->seen))
		return false;
	e = keyfile_read(&fresh, k->path, errmsg);
	k->refused = e != ERR_OK;
	if (e == ERR_IO || e == ERR_NOMEM) {	/* it may be read the next time */
		log_limited(LOG_ERROR, "keys.unread", "cause=\"%s\" keeping=\"the keys in force\"", errmsg);
		return false;
	}
	k->seen = now;
	if (e != ERR_OK) {
		log_error("keys.refused", "cause=\"%s\" keeping=\"the keys in force\"", errmsg);
		return false;
	}
	log_info("keys.read", "file=%s keys=%zu", k->path, fresh.n);
	keyfile_free(&k->file);
	k->file = fresh;
	return true;
}

bool
keys_refused(const struct keys *k)
{
	return k->refused;
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

/* Of a header that was sent twice nginx from 1.23 on passes both, joined by ", ", older
 * ones the first; so that nodes agree it is the first everywhere. */
static struct slice
first_of(struct slice s)
{
	const char *comma = memmem(s.p, s.n, ", ", 2);

	return comma ? (struct slice){ s.p, (size_t)(comma - s.p) } : s;
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
		return first_of(c->x_api_key);
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
		if (n == origin.n && strncasecmp(p, origin.p, n) == 0)
			return true;
	}
	return true;
}

enum refusal
keys_check(struct keys *k, struct sha256 *sha, const struct credentials *c, const struct key **out)
{
	char room[KEY_MAX];
	struct slice shown = presented(c, room);
	uint8_t digest[SHA256_BYTES];

	*out = NULL;
	if (shown.n == 0 || shown.n > KEY_MAX)
		return REFUSE_UNAUTHORIZED;
	sha256_begin(sha);
	sha256_put(sha, shown);
	if (sha256_end(sha, digest) != ERR_OK)
		return REFUSE_UNAVAILABLE;
	*out = keyfile_find(&k->file, digest);
	if (!*out && keys_refresh(k))	/* it may have been made just now */
		*out = keyfile_find(&k->file, digest);
	if (!*out)
		return REFUSE_UNAUTHORIZED;
	if (origin_allowed(*out, c->origin))
		return REFUSE_NONE;
	*out = NULL;
	return REFUSE_FORBIDDEN;
}
