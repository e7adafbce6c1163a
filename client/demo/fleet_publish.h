/* fleet_publish.h - a publisher: one thread, one client, the messages of its robots. */
#ifndef CLIENT_DEMO_FLEET_PUBLISH_H
#define CLIENT_DEMO_FLEET_PUBLISH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/demo/fleet_rows.h"
#include "client/demo/fleet_tally.h"
#include "client/diffuse.h"

struct fleet_publish {
    const struct fleet_rows *rows;
    struct fleet_tally *tally; /* gets the answers; NULL: who watches counts them */
    uint32_t number, of;       /* sends for the robots that are number modulo of */
    bool ingest;               /* one way, over PUB/SUB, instead of push */
    diffuse_client *client;
    size_t next; /* row to look at next */
    pthread_t thread;
    double rate;      /* messages a second; 0: as fast as they are taken */
    int64_t until_ns; /* CLOCK_MONOTONIC */
    const atomic_bool *stop;
    atomic_ullong sent;
    atomic_bool done;
    char why[256]; /* after the thread's end: what went wrong, "" nothing */
};

/* Nanoseconds of CLOCK_MONOTONIC, which stamps every message. */
int64_t fleet_publish_now(void);

/* Connect. 0, or -1 with a line in p->why. */
int fleet_publish_open(struct fleet_publish *p, const char *endpoint);
void fleet_publish_close(struct fleet_publish *p);

/* Send for so long, in a thread; sent begins at 0. 0, or -1 with a line in p->why. The thread ends
 * when the time is up, *stop is set or no rows are left, and all answers of push are in. */
int fleet_publish_start(struct fleet_publish *p, double rate, int64_t until_ns);
void fleet_publish_join(struct fleet_publish *p);

#endif
