/*
 * What PostgreSQL's errors mean, by SQLSTATE: the table of sqlstates.def. Words are in
 * any language, and may quote the row.
 */
#ifndef SINK_STATE_H
#define SINK_STATE_H

enum state_class { STATE_PASSES, STATE_PERSON, STATE_ROW };	/* see sqlstates.def */

struct state { const char *code; enum state_class class; const char *name; };

/* The line of a SQLSTATE, else that of its class, else one for a person. */
const struct state *state_find(const char *sqlstate);

/*
 * Of libpq's words for a failed login, made with PQERRORS_VERBOSE: "...: FATAL:  28P01:
 * ...", for each host that was tried. libpq (15 to 18) has no other way to tell it.
 * out: the state that a person has to see to, else the last one, "" when no server said
 * one: then none answered, or TLS did not come about.
 */
void state_of_login(const char *words, char out[6]);

#endif
