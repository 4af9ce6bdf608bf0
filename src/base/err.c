#include "base/err.h"

#include <sysexits.h>

static const struct {
	const char *name;
	enum err_class class;
} errors[] = {
	[ERR_OK]      = { "ok",      CLASS_OK },
	[ERR_INVALID] = { "invalid", CLASS_REJECT },
	[ERR_TOOBIG]  = { "too big", CLASS_REJECT },
	[ERR_BUSY]    = { "busy",    CLASS_RETRY },
	[ERR_FULL]    = { "full",    CLASS_RETRY },
	[ERR_DOWN]    = { "down",    CLASS_RETRY },
	[ERR_SETUP]   = { "set-up",  CLASS_RETRY },
	[ERR_IO]      = { "i/o",     CLASS_RETRY },
	[ERR_CORRUPT] = { "corrupt", CLASS_FATAL },
	[ERR_NOMEM]   = { "memory",  CLASS_RETRY },
	[ERR_BUG]     = { "bug",     CLASS_FATAL },
};

const char *
err_name(enum err e)
{
	return (unsigned)e < ARRAY_SIZE(errors) ? errors[e].name : "?";
}

enum err_class
err_class(enum err e)
{
	return (unsigned)e < ARRAY_SIZE(errors) ? errors[e].class : CLASS_FATAL;
}

int
err_exit(enum err e)
{
	static const int exits[] = {
		[CLASS_OK] = EX_OK, [CLASS_REJECT] = EX_DATAERR,
		[CLASS_RETRY] = EX_TEMPFAIL, [CLASS_FATAL] = EX_SOFTWARE,
	};
	return exits[err_class(e)];
}
