/* Query strings: "a=1&b=2", values as they stand, without percent-decoding. */
#ifndef COLLECT_PARAM_H
#define COLLECT_PARAM_H

#include "base/buf.h"

/* The first value of `name`, empty when it has none, or an absent slice. */
struct slice query_param(struct slice query, const char *name);

#endif
