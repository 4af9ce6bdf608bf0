/*
 * FastCGI records as bytes (FastCGI 1.0 section 3.3): is a whole request waiting
 * in a socket, and is it one that nginx would send? Looked at before the library
 * reads it, so that a worker never blocks on a request that is not all there, and
 * the library sees only the records of one plain responder request.
 */
#ifndef COLLECT_RECORD_H
#define COLLECT_RECORD_H

#include <stddef.h>
#include <stdint.h>

/* Requests up to this size are waited for without reading. */
#define RECORD_WINDOW	(64 * 1024)

enum record_scan {
	RECORD_WHOLE,		/* one request, complete, nothing after it */
	RECORD_PARTIAL,		/* a good beginning; more has to come */
	RECORD_LARGE,		/* parameters complete, and more body than the window holds */
	RECORD_BAD,		/* not a request of ours: close the connection */
};

/* Scans n bytes, what has arrived so far, at most RECORD_WINDOW of them. */
enum record_scan record_scan(const uint8_t *p, size_t n);

#endif
