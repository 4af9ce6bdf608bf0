/*
 * Attributes: members at an event's top level that become columns. They are read
 * from the event's own bytes, never from what yajl has decoded.
 */
#ifndef EVENT_ATTRIBUTE_H
#define EVENT_ATTRIBUTE_H

#include "base/buf.h"
#include "event/refusal.h"

enum attribute { ATTR_ID, ATTR_TYPE, ATTR_SOURCE, ATTR_SUBJECT, ATTR_TIME, ATTR_COUNT };

/* Which attribute a member's (decoded) key names; ATTR_COUNT: none. */
enum attribute attribute_of(const char *key, size_t n);

/*
 * The value of a member; rest begins right after the key and runs to the end of
 * its event, which is well-formed and has passed validate_text(). A string is
 * sliced from the event, or decoded into text when it holds escapes; text must
 * have room for as many bytes as the event has, so that it does not move. A
 * number, taken when `number`, is its digits as written. Anything else leaves
 * *out absent. REFUSE_ATTRIBUTE_TOO_LONG: over ATTRIBUTE_MAX bytes.
 */
enum refusal attribute_value(struct slice rest, bool number, struct buf *text, struct slice *out);
/* The value of a member that says nothing: null, or an empty string. rest as above. */
bool attribute_is_empty(struct slice rest);

#endif
