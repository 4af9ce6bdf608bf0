/*
 * The socket nginx connects to: opened here or inherited from systemd.
 */
#ifndef COLLECT_LISTEN_H
#define COLLECT_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* A non-blocking listening socket in *fd; the inherited one if there is one, else
 * path is made anew with mode 0660. errmsg (256 bytes) says what failed. */
enum err listen_open(const char *path, int *fd, char errmsg[256]) MUST_CHECK;

/* uid of the user that nginx runs as; ERR_INVALID: no such user. */
enum err listen_peer_uid(const char *user, uid_t *) MUST_CHECK;

/* May this connection talk to us? (SO_PEERCRED: root, ourselves, or nginx's user.) */
bool listen_peer_allowed(int fd, uid_t peer);

#endif
