/*
 * Text that strangers have sent, for people's terminals: what would move the cursor, set a
 * title, answer in the user's name, or turn the direction of text round becomes '?'. One for
 * each character, so that columns stay columns.
 */
#ifndef CLI_CLEAN_H
#define CLI_CLEAN_H

#include "base/buf.h"

/* Length of the character at p (n > 0), or of a byte that is none; *plain: it does no harm. */
size_t clean_char(const unsigned char *p, size_t n, bool *plain);

/*
 * From here on what goes to standard output or standard error is clean, where that is a
 * terminal; line ends and tabs stay. Elsewhere bytes go out as they are. Once, first of all.
 */
void clean_terminal(void);

#endif
