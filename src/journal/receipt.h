/*
 * Receipts: "<segment>:<first>-<last>", as every 2xx carries one; "<segment>:<seq>"
 * is taken too.
 */
#ifndef JOURNAL_RECEIPT_H
#define JOURNAL_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

struct receipt { struct uuid segment; int64_t first, last; };

bool receipt_parse(const char *text, size_t n, struct receipt *);

#endif
