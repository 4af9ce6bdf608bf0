/*
 * What systemd tells a service and hears from it: sd_notify(3), socket
 * activation (sd_listen_fds(3)) and credentials, by their documented protocols,
 * so that libsystemd is not needed. All are no-ops outside systemd.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

/* Sends "READY=1" and the like; newlines separate several. */
void notify(const char *state);
/* Interval in milliseconds at which WATCHDOG=1 is due (half of WATCHDOG_USEC), 0: none. */
int64_t notify_watchdog_ms(void);
/* The listening socket passed by systemd (LISTEN_FDS=1, fd 3), or -1. */
int notify_listen_fd(void);

#endif
