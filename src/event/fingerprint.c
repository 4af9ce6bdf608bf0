#include "event/fingerprint.h"

static enum err
end(struct sha256 *s, struct uuid *out)
{
	uint8_t sum[SHA256_BYTES];
	enum err e = sha256_end(s, sum);

	if (e == ERR_OK)
		memcpy(out->b, sum, sizeof out->b);
	return e;
}

enum err
fingerprint_event(struct sha256 *s, struct slice key, struct slice source, struct slice id,
		  struct slice payload, struct uuid *out)
{
	sha256_begin(s);
	sha256_put_field(s, SLICE("forebay:key,source,id,payload"));
	sha256_put_field(s, key);
	sha256_put_field(s, source);
	sha256_put_field(s, id);
	sha256_put_field(s, payload);
	return end(s, out);
}

enum err
fingerprint_request(struct sha256 *s, struct slice key, struct slice idempotency_key, size_t index,
		    struct uuid *out)
{
	const char be[4] = {
		(char)(index >> 24), (char)(index >> 16), (char)(index >> 8), (char)index,
	};

	sha256_begin(s);
	sha256_put_field(s, SLICE("forebay:key,idempotency-key,index"));
	sha256_put_field(s, key);
	sha256_put_field(s, idempotency_key);
	sha256_put_field(s, (struct slice){ be, sizeof be });
	return end(s, out);
}
