/*
 * One list of errors for the whole project, and the class that every caller
 * decides by. The text of a cause stays on the handle that failed
 * (journal_errmsg(), struct sink's errmsg); libraries never log and never exit.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/check.h"

enum err {
	ERR_OK = 0,
	ERR_INVALID,	/* the input is wrong and will stay so */
	ERR_TOOBIG,	/* the input is over a limit */
	ERR_BUSY,	/* somebody else has it; try again */
	ERR_FULL,	/* no space, or under the floor */
	ERR_DOWN,	/* the other side is not there; try again */
	ERR_SETUP,	/* somebody has to mend something; wait, raise an alarm, try again */
	ERR_IO,		/* the device or the system failed; outcome unknown */
	ERR_CORRUPT,	/* stored bytes are not what was written */
	ERR_NOMEM,
	ERR_BUG,
};

enum err_class {
	CLASS_OK,	/* go on */
	CLASS_REJECT,	/* 400 or 413; the flusher quarantines; exit 65 */
	CLASS_RETRY,	/* 503 and Retry-After; the flusher backs off; exit 75 */
	CLASS_FATAL,	/* 503 and the process goes; exit 70 */
};

const char *err_name(enum err);		/* "corrupt"; static storage */
enum err_class err_class(enum err);
int err_exit(enum err);			/* sysexits code for command-line programs */

#endif
