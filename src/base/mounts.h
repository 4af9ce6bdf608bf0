/*
 * What is mounted: lines of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
 */
#ifndef BASE_MOUNTS_H
#define BASE_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Texts live until mounts_close() or the next call; as in the file, where octal escapes
 * stand for what would end a word. */
struct mount {
	long id;
	const char *root;		/* which part of the file system */
	const char *point;		/* where it is mounted */
	const char *type;
	const char *options;		/* of the file system, not of this mount */
};

struct mounts;

/* path: "/proc/self/mountinfo". ERR_IO with errno: it cannot be read. */
enum err mounts_open(struct mounts **, const char *path) MUST_CHECK;
bool mounts_next(struct mounts *, struct mount *);
void mounts_close(struct mounts **);

/* Undoes the octal escapes of one word, of n bytes. false: it does not fit. */
bool mounts_unescape(char *out, size_t size, const char *word, size_t n);

/* Takes the next of comma-separated options from *at: its start; its length in *n.
 * NULL: there is none. */
const char *mounts_option(const char **at, size_t *n);

#endif
