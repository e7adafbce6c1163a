/* notify.h - words to the service manager. Each does nothing when there is none. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

void notify_ready(const char *status); /* READY=1 and a line for `systemctl status` */
void notify_status(const char *status);
void notify_stopping(void);
void notify_failed(int err, const char *status); /* the start failed */

#endif
