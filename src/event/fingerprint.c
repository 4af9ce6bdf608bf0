#include "event/fingerprint.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct fingerprint {
	EVP_MD *md;		/* fetched once: looking it up costs more than hashing */
	EVP_MD_CTX *ctx;
};

enum err
fingerprint_new(struct fingerprint **out)
{
	struct fingerprint *f = calloc(1, sizeof *f);

	*out = f;
	if (!f)
		return ERR_NOMEM;
	f->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	f->ctx = EVP_MD_CTX_new();
	if (!f->md || !f->ctx || EVP_DigestInit_ex2(f->ctx, f->md, NULL) != 1) {
		fingerprint_free(out);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

void
fingerprint_free(struct fingerprint **fp)
{
	if (!*fp)
		return;
	EVP_MD_CTX_free((*fp)->ctx);
	EVP_MD_free((*fp)->md);
	free(*fp);
	*fp = NULL;
}

static int
put_length(EVP_MD_CTX *ctx, size_t n)
{
	const unsigned char be[4] = {
		(unsigned char)(n >> 24), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n,
	};

	return EVP_DigestUpdate(ctx, be, sizeof be);
}

static int
put(EVP_MD_CTX *ctx, struct slice s)
{
	CHECK(s.n <= UINT32_MAX);
	return put_length(ctx, s.n) && (s.n == 0 || EVP_DigestUpdate(ctx, s.p, s.n));
}

enum err
fingerprint_event(struct fingerprint *f, struct slice key, struct slice source,
		  struct slice id, struct slice payload, struct uuid *out)
{
	unsigned char sum[EVP_MAX_MD_SIZE];

	/* no type: the one from before is kept */
	if (!EVP_DigestInit_ex2(f->ctx, NULL, NULL) ||
	    !put(f->ctx, SLICE("forebay:key,source,id,payload")) ||
	    !put(f->ctx, key) || !put(f->ctx, source) || !put(f->ctx, id) ||
	    !put(f->ctx, payload) || !EVP_DigestFinal_ex(f->ctx, sum, NULL))
		return ERR_NOMEM;
	memcpy(out->b, sum, sizeof out->b);
	return ERR_OK;
}
