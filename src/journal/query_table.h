/*
 * The journal as SQL tables, read-only and there without CREATE:
 *
 *   event      segment seq received_at time key source id type subject fingerprint head
 *              context payload
 *   rejection  segment seq received_at time reason key source id type subject head
 *              context payload
 *   request    segment seq received_at receipt events rejections context
 *
 * received_at and time are text, "YYYY-MM-DD HH:MM:SS.SSSSSS" UTC, so that they
 * compare with datetime('now', '-60 seconds'). head is the seq of the first row of
 * the same request, and so request.seq. event('<receipt>') gives what a receipt stands for.
 * Conditions on segment, seq, received_at and on the texts (=) keep segments closed
 * and rows unread; columns nobody asks for are not read.
 */
#ifndef JOURNAL_QUERY_TABLE_H
#define JOURNAL_QUERY_TABLE_H

#include <stdint.h>

#include "journal/sqlite.h"

/* Adds the tables; a statement that goes on past *deadline, by clock_mono_ms() (0: none), fails
 * with SQLITE_INTERRUPT. An SQLite code. */
int query_register(sqlite3 *, const char *dir, const int64_t *deadline);

#endif
