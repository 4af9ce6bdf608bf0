/*
 * Where in an event a byte stands, as a JSON Pointer (RFC 6901): for answers to
 * people, not for the path of every event.
 */
#ifndef EVENT_POINTER_H
#define EVENT_POINTER_H

#include "base/buf.h"

/*
 * Appends the pointer of the innermost member or element of `json` that begins at
 * or before byte `at`: "" is the event itself, "/user/emails/0" a string in it. Text
 * that is not well-formed is followed as far as it goes. At most 512 bytes; deeper
 * than 64 levels it stays at the 64th.
 */
void pointer_to(struct buf *out, struct slice json, size_t at);

#endif
