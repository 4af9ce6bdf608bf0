/*
 * Why a request or an event is refused: the codes of src/errors.def.
 */
#ifndef EVENT_REFUSAL_H
#define EVENT_REFUSAL_H

enum refusal {
#define REFUSAL(name, code, status, message) REFUSE_##name,
#include "errors.def"
#undef REFUSAL
	REFUSE_COUNT
};

struct refusal_info { const char *code; int status; const char *message; };
extern const struct refusal_info refusals[REFUSE_COUNT];

#endif
