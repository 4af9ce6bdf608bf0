/*
 * The files of a directory that are called NNNN-*.sql, in the order of their numbers.
 */
#ifndef SINK_SQLFILE_H
#define SINK_SQLFILE_H

#include "base/buf.h"
#include "base/err.h"
#include "sink/errmsg.h"

#define SQLFILE_NAME	128

struct sqlfile {
	int number;
	char name[SQLFILE_NAME];
	char checksum[2 * 32 + 1];	/* SHA-256, in hexadecimal digits */
	struct buf text;		/* with a NUL */
	bool pending;			/* the reader's, false at first */
};

/* Reads them all. *files and what has come of them is the caller's on error, too.
 * ERR_IO: they cannot be read, or there are none; ERR_INVALID: two have one number. */
enum err sqlfiles_read(struct sqlfile **files, size_t *n, const char *dir, char errmsg[ERRMSG]) MUST_CHECK;
void sqlfiles_free(struct sqlfile **files, size_t n);

#endif
