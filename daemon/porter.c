#include "daemon/porter.h"

#include <inttypes.h>
#include <zmq.h>

#include "daemon/recv.h"

#define SUBSCRIPTIONS_MAX 4096u /* read in one go, however many come */

void porter_subscriptions(struct porter *p) {
    struct recv_message m;
    unsigned n;
    bool empty = false;
    for (n = 0; n < SUBSCRIPTIONS_MAX && !(empty = !recv_next(p->sockets->labels, &m)); n++) {
        recv_close(&m);
    }
    doors_read(p->sockets->doors, DOOR_LABELS, n, empty);
}

static void tell_news(struct porter *p) {
    static const struct {
        const char *socket;
        enum conf_key key;
    } names[DOORS] = {[DOOR_INGEST] = {"ingest", CONF_KEY_publishers},
                      [DOOR_PUSH] = {"push", CONF_KEY_publishers},
                      [DOOR_LABELS] = {"labels", CONF_KEY_subscribers},
                      [DOOR_CONTROL] = {"control", CONF_KEY_subscribers}};
    struct door_news news;
    for (unsigned i = 0; i < DOORS; i++) {
        if (!doors_news(p->sockets->doors, (enum door)i, &news))
            continue;
        stats_add(p->stats, STATS_connections_refused, news.refused);
        stats_add(p->stats, STATS_connections_ended, news.ended);
        if (news.refused > 0)
            log_input(p->log, LOG_connections_refused, DIFFUSE_OK, NULL, 0, 0,
                      "%s: %" PRIu64 " connections refused, the last of process %d: as many are "
                      "there as %s plans for; raise it to let in more",
                      names[i].socket, news.refused, news.pid, conf_row(names[i].key)->key);
        if (news.ended > 0)
            log_input(p->log, LOG_connections_ended, DIFFUSE_OK, NULL, 0, 0,
                      "%s: %" PRIu64 " connections ended, the last of process %d, for too many "
                      "subscriptions, a message above what max_message allows, or a ZeroMQ before "
                      "4.0",
                      names[i].socket, news.ended, news.pid);
    }
}

void porter_tick(struct porter *p) {
    struct sockets *s = p->sockets;
    void *all[] = {s->ingest, s->push, s->labels, s->control};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int events;
        size_t len = sizeof events;
        (void)zmq_getsockopt(all[i], ZMQ_EVENTS, &events, &len);
    }
    porter_subscriptions(p);
    tell_news(p);
}
