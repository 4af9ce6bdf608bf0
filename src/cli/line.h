/*
 * A row of the journal as one line: JSON for programs, words for people.
 */
#ifndef CLI_LINE_H
#define CLI_LINE_H

#include "base/buf.h"
#include "base/uuid.h"
#include "event/row.h"

/* Appends the line with its end. */
void line_json(struct buf *, struct uuid segment, const struct row *);
/* width: of the terminal; 0: the line is not cut. No control character is let through. */
void line_text(struct buf *, int width, const struct row *);

#endif
