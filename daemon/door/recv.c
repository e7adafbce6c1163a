#include "daemon/door/recv.h"

#include <errno.h>

/* Frames of one message arrive together, so only the first can be missing. */
static bool take_frame(void *socket, zmq_msg_t *frame) {
    zmq_msg_init(frame);
    int rc;
    do
        rc = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        zmq_msg_close(frame);
    return rc >= 0;
}

bool recv_next(void *socket, struct recv_message *m) {
    m->kept = 0;
    m->frames = 0;
    bool more = true;
    while (more) {
        zmq_msg_t spare;
        zmq_msg_t *frame = m->kept < RECV_FRAMES ? &m->frame[m->kept] : &spare;
        if (!take_frame(socket, frame))
            break;
        more = zmq_msg_more(frame);
        m->frames++;
        if (frame == &spare)
            zmq_msg_close(frame);
        else
            m->kept++;
    }
    return m->frames > 0;
}

void recv_close(struct recv_message *m) {
    for (unsigned i = 0; i < m->kept; i++)
        zmq_msg_close(&m->frame[i]);
    m->kept = 0;
}

const void *recv_data(struct recv_message *m, unsigned i, size_t *ret_len) {
    if (i >= m->kept) {
        *ret_len = 0;
        return NULL;
    }
    *ret_len = zmq_msg_size(&m->frame[i]);
    return zmq_msg_data(&m->frame[i]);
}
