/*
 * Logging to stderr: event name first, then key=value. Under systemd
 * (JOURNAL_STREAM is set) lines carry a <N> priority, else the time and the
 * level. Never event bodies, never secrets. Only programs log; libraries return.
 * Each call writes one line with one write(2), so lines of processes that share
 * stderr do not mix.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/check.h"

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

/* `program` is kept, not copied; called again after a fork with the worker's name. */
void log_init(const char *program, enum log_level least);
enum log_level log_level_parse(const char *name);	/* "error|warning|info|debug" */

void log_msg(enum log_level, const char *event, const char *fmt, ...) PRINTF(3, 4);
#define log_error(...)		log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warning(...)	log_msg(LOG_WARNING, __VA_ARGS__)
#define log_info(...)		log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...)		log_msg(LOG_DEBUG, __VA_ARGS__)

/*
 * For a line that a peer or a broken disk could repeat at will: at most one in
 * five seconds for each call site; the next one says how many were left out.
 */
struct log_limit { int64_t next_ms; unsigned suppressed; };
#define log_limited(level, event, ...) \
	do { \
		static struct log_limit limit_; \
		if (log_allow(&limit_, (event))) \
			log_msg((level), (event), __VA_ARGS__); \
	} while (0)
int log_allow(struct log_limit *, const char *event);

#endif
