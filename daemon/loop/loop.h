/* loop.h - the loop thread: it alone touches sockets, and it alone speaks.
 *
 * Reads push and ingest while there is room, answers what is done, in order within a stream, and
 * serves control. On SIGTERM or SIGINT it takes no new connections, reads what was sent before,
 * answers it, and returns.
 */
#ifndef DAEMON_LOOP_LOOP_H
#define DAEMON_LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/door/access.h"
#include "daemon/door/peers.h"
#include "daemon/door/send.h"
#include "daemon/loop/answers.h"
#include "daemon/loop/intake.h"
#include "daemon/loop/settings.h"
#include "daemon/loop/shared.h"
#include "daemon/loop/switcher.h"
#include "daemon/loop/tuner_loop.h"
#include "daemon/path/worker.h"
#include "daemon/report/metrics_http.h"
#include "daemon/report/watchdog.h"
#include "proto/diffuse_err.h"

#define LOOP_ITEMS 12

struct loop {
    /* Set by the owner. */
    struct shared shared; /* send and in_force are the loop's own */
    struct switcher switcher;
    struct tuner_loop tuning;
    struct settings settings;
    struct answers answers;
    struct intake intake;
    struct metrics *exposition;   /* borrowed, as what follows */
    struct metrics_http *web;     /* NULL: metrics are not served by HTTP */
    const struct worker *workers; /* (n_workers) whose counters are read */
    size_t n_workers;

    /* Its own. */
    struct send send;
    struct access access;
    struct watchdog pulse;
    struct peers ingest_peers, push_peers;
    int signal_fd;
    int fd[LOOP_ITEMS]; /* of sockets and of what else is waited for; see loop.c */
    uint32_t ready;     /* a bit for each that is to be looked at */
    unsigned turns;     /* since that was asked last */
    bool stopping;
    bool unwell; /* the path stands still */
    bool held;   /* by a full subscriber */
    uint64_t stop_since, quiet_since, ticked;
    uint64_t expired; /* samples, when the pulse was felt last */
};

/* Signals must be blocked in every thread (loop_block_signals, before the first thread). Errors:
 * IO. */
void loop_block_signals(void);
DIFFUSE_MUST_CHECK diffuse_err loop_init(struct loop *l);
void loop_done(struct loop *l);

/* Serve until a signal asks to stop and everything accepted is answered. */
void loop_run(struct loop *l);

#endif
