/* callers.h - control, passed through: each caller gets a connection of its own to the daemon,
 * which addresses its replies by connection.
 */
#ifndef CLIENT_RELAY_CALLERS_H
#define CLIENT_RELAY_CALLERS_H

#include "client/link/link.h"
#include "client/relay/message.h"

enum { CALLERS_MAX = 64, CALLERS_ID = 255 }; /* the one silent longest makes room */

struct caller {
    unsigned char id[CALLERS_ID]; /* as the ROUTER names it */
    size_t id_len;
    void *socket; /* DEALER to the daemon; NULL: nobody */
    uint64_t used;
};

struct callers {
    void *context; /* borrowed */
    void *front;   /* ROUTER, bound; borrowed */
    const char *url;
    const struct link_keys *keys; /* borrowed */
    uint32_t queue;
    uint64_t clock;
    struct message held; /* a request that the daemon does not take yet, */
    struct caller *to;   /* and its connection */
    struct caller caller[CALLERS_MAX];
};

void callers_init(struct callers *c, void *context, void *front, const char *url,
                  const struct link_keys *keys, uint32_t queue);
void callers_done(struct callers *c);

/* Pass on what is there, both ways, without waiting. A request that the daemon does not take, for
 * it is not there, waits, and all behind it. */
void callers_pass(struct callers *c);

/* Append what must be polled for it; how many items that were, CALLERS_MAX + 1 at most. */
int callers_poll(const struct callers *c, zmq_pollitem_t *items);

#endif
