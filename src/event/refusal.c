#include "event/refusal.h"

const struct refusal_info refusals[REFUSE_COUNT] = {
#define REFUSAL(name, code, status, message) { code, status, message },
#include "errors.def"
#undef REFUSAL
};
