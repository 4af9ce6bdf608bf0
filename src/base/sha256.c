#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define PENDING	512		/* small pieces are handed on together: each call costs */

struct sha256 {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	bool failed;
	size_t n;
	char pending[PENDING];
};

enum err
sha256_new(struct sha256 **out)
{
	struct sha256 *s = calloc(1, sizeof *s);

	*out = s;
	if (!s)
		return ERR_NOMEM;
	s->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	s->ctx = EVP_MD_CTX_new();
	if (!s->md || !s->ctx || EVP_DigestInit_ex2(s->ctx, s->md, NULL) != 1) {
		sha256_free(out);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

void
sha256_free(struct sha256 **sp)
{
	if (!*sp)
		return;
	EVP_MD_CTX_free((*sp)->ctx);
	EVP_MD_free((*sp)->md);
	free(*sp);
	*sp = NULL;
}

void
sha256_begin(struct sha256 *s)
{
	/* no type: the one from before is kept */
	s->failed = EVP_DigestInit_ex2(s->ctx, NULL, NULL) != 1;
	s->n = 0;
}

static void
update(struct sha256 *s, const char *p, size_t n)
{
	if (!s->failed && n > 0)
		s->failed = EVP_DigestUpdate(s->ctx, p, n) != 1;
}

void
sha256_put(struct sha256 *s, struct slice b)
{
	if (b.n > PENDING - s->n) {
		update(s, s->pending, s->n);
		s->n = 0;
	}
	if (b.n > PENDING) {
		update(s, b.p, b.n);
	} else if (b.n > 0) {
		memcpy(s->pending + s->n, b.p, b.n);
		s->n += b.n;
	}
}

void
sha256_put_field(struct sha256 *s, struct slice b)
{
	const char be[4] = {
		(char)(b.n >> 24), (char)(b.n >> 16), (char)(b.n >> 8), (char)b.n,
	};

	CHECK(b.n <= UINT32_MAX);
	sha256_put(s, (struct slice){ be, sizeof be });
	sha256_put(s, b);
}

enum err
sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
	update(s, s->pending, s->n);
	if (s->failed || EVP_DigestFinal_ex(s->ctx, out, NULL) != 1)
		return ERR_NOMEM;
	return ERR_OK;
}
