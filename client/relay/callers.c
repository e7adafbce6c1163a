#include "client/relay/callers.h"

#include <string.h>

enum { AT_ONCE = 16 }; /* messages of a kind before others have their turn */

void callers_init(struct callers *c, void *context, void *front, const char *url,
                  const struct link_keys *keys, uint32_t queue) {
    *c = (struct callers){
        .context = context, .front = front, .url = url, .keys = keys, .queue = queue};
}

void callers_done(struct callers *c) {
    message_drop(&c->held);
    for (int i = 0; i < CALLERS_MAX; i++) {
        link_close(c->caller[i].socket);
        c->caller[i].socket = NULL;
    }
}

/* The caller of that identity, else the place for it. */
static struct caller *find(struct callers *c, const void *id, size_t len) {
    struct caller *oldest = &c->caller[0];

    for (int i = 0; i < CALLERS_MAX; i++) {
        struct caller *at = &c->caller[i];

        if (at->socket && at->id_len == len && memcmp(at->id, id, len) == 0)
            return at;
        if (!at->socket || (oldest->socket && at->used < oldest->used))
            oldest = oldest->socket ? at : oldest;
    }
    return oldest;
}

static struct caller *connect_caller(struct callers *c, const void *id, size_t len) {
    struct caller *at = find(c, id, len);

    at->used = ++c->clock;
    if (at->socket && at->id_len == len && memcmp(at->id, id, len) == 0)
        return at;
    link_close(at->socket);
    at->socket = NULL;
    memcpy(at->id, id, len);
    at->id_len = len;
    return link_open(c->context, ZMQ_DEALER, c->url, c->keys, c->queue, 0, &at->socket, NULL) ? NULL
                                                                                              : at;
}

/* Take a request and find its connection; false: nothing is there. */
static bool take_request(struct callers *c) {
    struct message *m = &c->held;

    while (message_take(c->front, m) == DIFFUSE_OK) {
        size_t len = zmq_msg_size(&m->frame[0]);

        if (m->n >= 2 && len <= CALLERS_ID &&
            (c->to = connect_caller(c, zmq_msg_data(&m->frame[0]), len)))
            return true;
        message_drop(m);
    }
    return false;
}

static void pass_requests(struct callers *c) {
    for (int k = 0; k < AT_ONCE && (c->held.n > 0 || take_request(c)); k++) {
        if (message_give(&c->held, 1, c->to->socket) == DIFFUSE_BUSY)
            return;
        message_drop(&c->held);
    }
}

static void reply(struct callers *c, const struct caller *at, struct message *m) {
    if (zmq_send(c->front, at->id, at->id_len, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0)
        (void)message_give(m, 0, c->front);
}

void callers_pass(struct callers *c) {
    struct message m = {.n = 0};

    pass_requests(c);
    for (int i = 0; i < CALLERS_MAX; i++)
        for (int k = 0; c->caller[i].socket && k < AT_ONCE &&
                        message_take(c->caller[i].socket, &m) == DIFFUSE_OK;
             k++) {
            reply(c, &c->caller[i], &m);
            message_drop(&m);
        }
}

int callers_poll(const struct callers *c, zmq_pollitem_t *items) {
    int n = 0;

    if (c->held.n == 0)
        items[n++] = (zmq_pollitem_t){.socket = c->front, .events = ZMQ_POLLIN};
    for (int i = 0; i < CALLERS_MAX; i++) {
        bool out = c->held.n > 0 && c->to == &c->caller[i];

        if (c->caller[i].socket)
            items[n++] = (zmq_pollitem_t){.socket = c->caller[i].socket,
                                          .events = out ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN};
    }
    return n;
}
