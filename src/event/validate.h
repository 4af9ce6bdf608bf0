/*
 * What PostgreSQL's jsonb refuses, or cannot dump again, in JSON that yajl has
 * found well-formed (INV-5).
 */
#ifndef EVENT_VALIDATE_H
#define EVENT_VALIDATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "event/refusal.h"

#define NUMBER_DIGITS_MAX	40
#define NUMBER_EXPONENT_MAX	308

/*
 * Text of a well-formed JSON value: UTF-8 (RFC 3629), no \u0000, no half of a
 * surrogate pair. Returns REFUSE_NONE, or why not, with *at the byte.
 */
enum refusal validate_text(struct slice, size_t *at);

/*
 * A well-formed JSON number: at most NUMBER_DIGITS_MAX digits from the first that
 * is not 0, and that first digit stands for 10^-308 to 10^308. Of a zero the last
 * digit counts instead, so that 0e-9999 does not become ten thousand zeros in a
 * dump.
 */
bool validate_number(struct slice);

/* The value of the four hexadecimal digits of a well-formed \uXXXX. */
unsigned validate_hex4(const char *);

#endif
