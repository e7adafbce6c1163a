/* fleet_daemon.h - a daemon of one's own, in a temporary folder that goes when it goes. */
#ifndef CLIENT_DEMO_FLEET_DAEMON_H
#define CLIENT_DEMO_FLEET_DAEMON_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

struct fleet_daemon {
    char dir[64];      /* the temporary folder */
    char endpoint[80]; /* its sockets, for diffuse_options.endpoint */
    char status[128];  /* what it said when it was ready */
    pid_t pid;         /* 0: not running */
};

struct fleet_memory {
    size_t resident, peak; /* bytes */
};

/* Make the folder. 0, or -1 with a line in why; release with _done in either case. */
int fleet_daemon_init(struct fleet_daemon *d, char *why, size_t why_size);

/* Run a program to its end, its output into a file in the folder. 0, or -1 with a line in why. */
int fleet_daemon_run(const struct fleet_daemon *d, char *const argv[], char *why, size_t why_size);

/* Start program with a model and wait until it says that it is ready. 0, or -1 with a line in why:
 * the daemon's own, when it had one. */
int fleet_daemon_start(struct fleet_daemon *d, const char *program, const char *model,
                       const volatile sig_atomic_t *stop, char *why, size_t why_size);

/* Ask the kernel. Zeros when it does not tell. */
struct fleet_memory fleet_daemon_memory(const struct fleet_daemon *d);

/* SIGTERM, and wait for the end. Its exit status; 128 + the signal that ended it. */
int fleet_daemon_stop(struct fleet_daemon *d);

/* Kill what still runs, remove the folder. */
void fleet_daemon_done(struct fleet_daemon *d);

#endif
