/* notify.h - words to the service manager. Each does nothing when there is none. */
#ifndef DAEMON_COMMON_NOTIFY_H
#define DAEMON_COMMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

void notify_ready(const char *status); /* READY=1 and a line for `systemctl status` */
void notify_status(const char *status);
void notify_stopping(void);

/* After how long without notify_alive the manager restarts us; 0: it does not. */
uint64_t notify_watchdog_ns(void);
void notify_alive(void); /* WATCHDOG=1 */

/* RELOADING=1, which READY=1 has to follow, whatever came of it. False: the manager takes no words
 * now, try again; true also when there is no manager. Neither waits. */
bool notify_reloading(void);
bool notify_reloaded(const char *status);
void notify_failed(int err, const char *status); /* the start failed */

#endif
