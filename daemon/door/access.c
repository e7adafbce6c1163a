#include "daemon/door/access.h"

#include <inttypes.h>
#include <stdio.h>
#include <zmq.h>

#include "daemon/common/clock.h"
#include "daemon/door/recv.h"

#define SUBSCRIPTIONS_MAX 4096u /* read in one go, however many come */

/* Whose the connections are, for when a key may read no longer. */
static void note_key(struct access *p, struct recv_message *m) {
    const char *key = p->sockets->curve ? curve_key(&m->frame[0]) : NULL;
    if (key)
        doors_name(p->sockets->doors, DOOR_LABELS, zmq_msg_get(&m->frame[0], ZMQ_SRCFD), key);
}

static bool may_read(const void *curve, const char *key) {
    return curve_admits(curve, DOOR_LABELS, key);
}

diffuse_err access_keys(struct access *p, struct reason *why) {
    struct sockets *s = p->sockets;
    diffuse_err e = s->curve ? curve_reload(s->curve, why) : DIFFUSE_OK;
    if (!s->curve || e)
        return e;
    (void)access_subscriptions(p);
    unsigned n = doors_review(s->doors, DOOR_LABELS, may_read, s->curve);
    if (n > 0)
        log_line(p->log, LOG_keys_read,
                 "labels: %u connections ended: their keys may not subscribe", n);
    return DIFFUSE_OK;
}

bool access_subscriptions(struct access *p) {
    struct recv_message m;
    unsigned n;
    bool empty = false;
    for (n = 0; n < SUBSCRIPTIONS_MAX && !(empty = !recv_next(p->sockets->labels, &m)); n++) {
        note_key(p, &m);
        recv_close(&m);
    }
    doors_read(p->sockets->doors, DOOR_LABELS, n, empty);
    return empty;
}

const char *access_group(const char *name) {
    return name[0] ? name : "of the daemon";
}

/* A peer on this machine is localhost:UID:GID:PID to ZeroMQ, as it was when the connection was
 * made; others have their address in figures. */
static bool read_peer(zmq_msg_t *frame, unsigned *ret_uid, int *ret_pid) {
    const char *address = zmq_msg_gets(frame, "Peer-Address");
    return address && sscanf(address, "localhost:%u:%*u:%d", ret_uid, ret_pid) == 2;
}

/* What came over the internet is not this machine's matter. */
static bool may_all(struct access *p, enum door door, zmq_msg_t *frame, unsigned *ret_uid,
                    int *ret_pid) {
    *ret_uid = 0;
    *ret_pid = 0;
    return !read_peer(frame, ret_uid, ret_pid) ||
           doors_may_all(p->sockets->doors, door, zmq_msg_get(frame, ZMQ_SRCFD), *ret_uid,
                         *ret_pid);
}

bool access_may_advise(struct access *p, struct recv_message *m, bool from_push) {
    unsigned uid;
    int pid;
    if (!p->conf->feedback_group[0] ||
        may_all(p, from_push ? DOOR_PUSH : DOOR_INGEST, &m->frame[0], &uid, &pid))
        return true;
    stats_add(p->stats, STATS_feedback_denied, 1);
    log_input(p->log, LOG_denied, DIFFUSE_OK, NULL, 0, 0,
              "feedback of uid %u (process %d) denied: not in group %s (feedback_group)", uid, pid,
              p->conf->feedback_group);
    return false;
}

bool access_may_change(struct access *p, struct recv_message *m, unsigned *ret_uid, int *ret_pid) {
    return may_all(p, DOOR_CONTROL, &m->frame[m->kept - 1], ret_uid, ret_pid);
}

bool access_is_remote(struct recv_message *m) {
    unsigned uid;
    int pid;
    return !read_peer(&m->frame[m->kept - 1], &uid, &pid);
}

static void tell_denied(struct access *p, const char *socket, const char *group,
                        const struct door_news *news) {
    if (news->denied == 0)
        return;
    stats_add(p->stats, STATS_connections_denied, news->denied);
    log_input(p->log, LOG_denied, DIFFUSE_OK, NULL, 0, 0,
              "%s: %" PRIu64 " connections denied, the last of uid %u (process %d): not in group "
              "%s (%s_group)",
              socket, news->denied, news->denied_uid, news->denied_pid, access_group(group),
              socket);
}

static void tell_refused(struct access *p, const char *socket, enum conf_key key,
                         const struct door_news *news) {
    stats_add(p->stats, STATS_connections_refused, news->refused);
    if (news->refused > 0)
        log_input(p->log, LOG_connections_refused, DIFFUSE_OK, NULL, 0, 0,
                  "%s: %" PRIu64 " connections refused, the last of %s: %s; there are %" PRIu64
                  " places (%s): raise it to let in more",
                  socket, news->refused, news->who_refused, news->why_refused,
                  key == CONF_KEY_publishers ? p->conf->publishers : p->conf->subscribers,
                  conf_row(key)->key);
}

static void tell_ended(struct access *p, const char *socket, const struct door_news *news) {
    stats_add(p->stats, STATS_connections_ended, news->ended);
    stats_add(p->stats, STATS_connections_unfinished, news->unfinished);
    if (news->ended > 0)
        log_input(p->log, LOG_connections_ended, DIFFUSE_OK, NULL, 0, 0,
                  "%s: %" PRIu64 " connections ended, the last of %s: %s", socket, news->ended,
                  news->who_ended, news->why_ended);
    if (news->unfinished > 0)
        log_input(p->log, LOG_connections_unfinished, DIFFUSE_OK, NULL, 0, 0,
                  "%s: %" PRIu64 " connections ended, the last of %s: %s", socket, news->unfinished,
                  news->who_unfinished, news->why_unfinished);
}

static void tell_slow(struct access *p, const struct door_news *news) {
    stats_add(p->stats, STATS_labels_dropped, news->labels);
    stats_add(p->stats, STATS_subscribers_ended, news->slow);
    if (news->slow > 0)
        log_input(p->log, LOG_label_dropped, DIFFUSE_OK, NULL, 0, 0,
                  "labels: a subscriber (%s) was ended: it does not keep up, and held everybody "
                  "back for longer than label_wait; %" PRIu64 " labels dropped for it so far",
                  news->who_slow, news->labels);
}

void access_news(struct access *p) {
    static const struct {
        const char *socket;
        enum conf_key key;
    } names[DOORS] = {[DOOR_INGEST] = {"ingest", CONF_KEY_publishers},
                      [DOOR_PUSH] = {"push", CONF_KEY_publishers},
                      [DOOR_LABELS] = {"labels", CONF_KEY_subscribers},
                      [DOOR_CONTROL] = {"control", CONF_KEY_subscribers}};
    const struct conf *c = p->conf;
    const char *groups[DOORS] = {[DOOR_INGEST] = c->ingest_group,
                                 [DOOR_PUSH] = c->push_group,
                                 [DOOR_LABELS] = c->labels_group,
                                 [DOOR_CONTROL] = c->control_group};
    struct door_news news;
    for (unsigned i = 0; i < DOORS; i++) {
        if (!doors_news(p->sockets->doors, (enum door)i, &news))
            continue;
        tell_denied(p, names[i].socket, groups[i], &news);
        tell_refused(p, names[i].socket, names[i].key, &news);
        tell_ended(p, names[i].socket, &news);
        tell_slow(p, &news);
    }
}

void access_tick(struct access *p) {
    struct sockets *s = p->sockets;
    void *all[] = {s->ingest, s->push, s->labels, s->control};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int events;
        size_t len = sizeof events;
        (void)zmq_getsockopt(all[i], ZMQ_EVENTS, &events, &len);
    }
    (void)access_subscriptions(p);
    doors_tick(s->doors, clock_now());
    access_news(p);
}
