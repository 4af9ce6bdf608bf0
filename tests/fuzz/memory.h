/*
 * A segment's two files in memory, for those who read it: SQLite by a VFS, which
 * takes the place of the system's from memory_begin() on, and our own code by its calls of open, stat, fstat,
 * pread and close, which the linker leads here (--wrap). Other files are the system's.
 * A reader that would write or delete anything aborts.
 */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_DIR	"/in-memory"	/* where they are found, whatever the segment's name */

enum { MEMORY_DB, MEMORY_WAL, MEMORY_FILES };

/* Bytes and size are the caller's to change between two readers. */
struct memory_file { const char *suffix; uint8_t *p; size_t n; };
extern struct memory_file memory_files[MEMORY_FILES];

void memory_begin(void);
/* The index of the WAL is empty; as a file it is there, as a crash leaves it, or not, as in a
 * copy. */
void memory_index(bool there);

#endif
