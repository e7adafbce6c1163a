/* watchdog.h - does the path move? What the service manager's watchdog hears depends on it.
 *
 * A timer that only says "the process lives" would hide exactly what a watchdog is for. So a word
 * goes to it once a second (the loop does that, and a loop that hangs says nothing) only while
 *
 *   - no worker has been in the same batch for half of the watchdog's time, and
 *   - samples that wait are taken: in that time a batch was begun or ended, or nothing waited, or
 *     it was a full subscriber that held everybody back (label_wait).
 *
 * Threads: the loop thread.
 */
#ifndef DAEMON_REPORT_WATCHDOG_H
#define DAEMON_REPORT_WATCHDOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/path/worker.h"
#include "proto/limits.h"

#define WATCHDOG_LEAST_NS 4000000000u /* a shorter watchdog would bite between two words */

struct watchdog {
    uint64_t patience_ns; /* half of the watchdog's time; 0: there is none */
    uint64_t moved_ns;    /* when samples were last seen to be taken, or not to wait */
    struct {
        uint64_t turns; /* as seen last, */
        uint64_t since; /* at that time for the first time */
    } worker[LIMIT_WORKERS];
};

/* watchdog_ns as notify_watchdog_ns gives it. */
void watchdog_init(struct watchdog *p, uint64_t watchdog_ns, uint64_t now_ns);

/* Look, about once a second. True: there is a watchdog, and it may hear that all is well. waiting:
 * samples are accepted and not answered. held: a full subscriber is the reason. */
bool watchdog_look(struct watchdog *p, const struct worker *workers, size_t n, bool waiting,
                   bool held, uint64_t now_ns);

#endif
