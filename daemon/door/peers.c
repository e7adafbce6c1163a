#include "daemon/door/peers.h"

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

void peers_init(struct peers *p, void *monitor, struct doors *doors, enum door door) {
    p->monitor = monitor;
    p->doors = doors;
    p->door = door;
    for (size_t i = 0; i < PEERS_MAX; i++)
        p->peer[i].copy = -1;
}

void peers_done(struct peers *p) {
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (p->peer[i].copy >= 0)
            close(p->peer[i].copy);
        p->peer[i].copy = -1;
    }
}

static void follow(struct peers *p, int number) {
    int copy = doors_copy(p->doors, p->door, number);
    if (copy < 0)
        return;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (p->peer[i].copy < 0) {
            p->peer[i].copy = copy;
            p->peer[i].number = number;
            peer_name_say(copy, p->peer[i].who);
            return;
        }
    }
    close(copy);
}

static enum peers_ending look(struct peers *p, int fd) {
    struct pollfd item = {.fd = fd, .events = POLLRDHUP};
    int unread = 0;
    bool cut = false, known = true;
    (void)doors_recall(p->doors, p->door, fd, &cut, &known);
    if (cut)
        return PEERS_LEFT;
    if (poll(&item, 1, 0) < 1 || !(item.revents & (POLLRDHUP | POLLHUP | POLLERR)))
        return known ? PEERS_CUT : PEERS_UNFINISHED; /* the other end is still there */
    if (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0)
        return PEERS_LOST;
    return PEERS_LEFT;
}

static enum peers_ending forget(struct peers *p, int number, char ret_who[PEER_NAME_BYTES]) {
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (p->peer[i].copy >= 0 && p->peer[i].number == number) {
            enum peers_ending ending = look(p, p->peer[i].copy);
            memcpy(ret_who, p->peer[i].who, PEER_NAME_BYTES);
            close(p->peer[i].copy);
            p->peer[i].copy = -1;
            return ending;
        }
    }
    return PEERS_LEFT;
}

/* An event is two frames: number and value, then the endpoint. */
static bool read_event(void *monitor, uint16_t *ret_event, int32_t *ret_value) {
    unsigned char bytes[8] = {0};
    char endpoint[256];
    if (zmq_recv(monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) < 0)
        return false;
    (void)zmq_recv(monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
    memcpy(ret_event, bytes, sizeof *ret_event);
    memcpy(ret_value, bytes + 2, sizeof *ret_value);
    return true;
}

bool peers_next(struct peers *p, enum peers_ending *ret_ending, char ret_who[PEER_NAME_BYTES]) {
    uint16_t event;
    int32_t value;
    *ret_ending = PEERS_NONE;
    ret_who[0] = '\0';
    if (!read_event(p->monitor, &event, &value))
        return false;
    if (event == ZMQ_EVENT_ACCEPTED)
        follow(p, value);
    else if (event == ZMQ_EVENT_DISCONNECTED)
        *ret_ending = forget(p, value, ret_who);
    return true;
}
