/*
 * Connection strings, which may hold a password, as they may be told. Secret is what
 * libpq marks so (dispchar "*"): today password and sslpassword. A string is what libpq
 * takes for flush.conninfo: key=value words, a URI, or a database's name.
 */
#ifndef SINK_CONNINFO_H
#define SINK_CONNINFO_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Appends name=value, quoted where it has to be, after a blank where something stands. */
void conninfo_put(struct buf *, const char *name, const char *value);

/* The string as it is, or its words with *** for each secret; *** alone for one that
 * libpq does not take, or when memory or n bytes do not suffice. */
void conninfo_show(const char *conninfo, char *out, size_t n);

/* Does libpq take it? */
bool conninfo_good(const char *conninfo);

/* libpq's words of an attempt with this string, or a sentence in their place where they
 * may quote a part of a password: of a string that cannot be read, or is read amiss. */
const char *conninfo_words(const char *conninfo, const char *words);

#endif
