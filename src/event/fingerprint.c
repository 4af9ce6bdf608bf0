#include "event/fingerprint.h"

/* In front of the hash, most significant byte first. */
static void
put_milliseconds(int64_t time, struct uuid *u)
{
	uint64_t ms = (uint64_t)time / 1000;
	int i;

	for (i = 5; i >= 0; i--, ms >>= 8)
		u->b[i] = (uint8_t)ms;
}

enum err
fingerprint_event(struct sha256 *s, struct slice key, struct slice source, struct slice id,
		  struct slice payload, int64_t time, struct uuid *out)
{
	uint8_t sum[SHA256_BYTES];
	enum err e;

	sha256_begin(s);
	sha256_put_field(s, SLICE("forebay:key,source,id,payload"));
	sha256_put_field(s, key);
	sha256_put_field(s, source);
	sha256_put_field(s, id);
	sha256_put_field(s, payload);
	e = sha256_end(s, sum);
	if (e != ERR_OK)
		return e;
	memcpy(out->b, sum, sizeof out->b);
	if (time >= 0)
		put_milliseconds(time, out);
	return ERR_OK;
}

enum err
fingerprint_request(struct sha256 *s, struct slice key, struct slice idempotency_key, size_t index,
		    struct uuid *out, struct uuid *id)
{
	const char be[4] = {
		(char)(index >> 24), (char)(index >> 16), (char)(index >> 8), (char)index,
	};
	uint8_t sum[SHA256_BYTES];
	enum err e;

	sha256_begin(s);
	sha256_put_field(s, SLICE("forebay:key,idempotency-key,index"));
	sha256_put_field(s, key);
	sha256_put_field(s, idempotency_key);
	sha256_put_field(s, (struct slice){ be, sizeof be });
	e = sha256_end(s, sum);
	if (e != ERR_OK)
		return e;
	memcpy(out->b, sum, sizeof out->b);
	*id = uuid_v8(sum + sizeof out->b);
	return ERR_OK;
}
