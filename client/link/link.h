/* link.h - one ZeroMQ socket towards the daemon: open, wait, send, receive.
 *
 * Nothing here waits beyond its deadline. Deadlines are milliseconds of the monotonic clock, or
 * LINK_FOREVER.
 */
#ifndef CLIENT_LINK_LINK_H
#define CLIENT_LINK_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#include "client/diffuse.h"
#include "proto/reason.h"

#include "keys/keyfile.h"

#define LINK_FOREVER INT64_MAX

/* now + timeout_ms; negative stands for LINK_FOREVER. */
int64_t link_deadline(int timeout_ms);

/* The earlier of the deadline and now + ms. */
int64_t link_earlier(int64_t deadline, int ms);

/* True when the deadline is over. */
bool link_over(int64_t deadline);

/* Of CURVE, each in Z85. */
struct link_keys {
    char server[KEYFILE_CHARS + 1]; /* the daemon's public key; "": no CURVE */
    char public_key[KEYFILE_CHARS + 1];
    char secret_key[KEYFILE_CHARS + 1];
};

/* A socket of a ZMQ_* type, connected to url; over tcp with the keys. Messages go to established
 * connections only. */
diffuse_err link_open(void *context, int type, const char *url, const struct link_keys *keys,
                      uint32_t queue, uint32_t linger_ms, void **ret_socket, struct reason *why);

/* The same, bound to url for others to connect to; who sends a frame of more than frame_max bytes
 * is disconnected. */
diffuse_err link_bind(void *context, int type, const char *url, uint32_t queue, int64_t frame_max,
                      void **ret_socket, struct reason *why);
void link_close(void *socket); /* NULL is fine */

/* XPUB: let a full subscriber lose what is sent next (true), or have link_send say BUSY (false). */
void link_lossy(void *socket, bool lossy);

/* zmq_poll(3) until the deadline. Errors: TIMEOUT (also after a signal), IO. */
diffuse_err link_poll(zmq_pollitem_t *items, int n, int64_t deadline);

/* Wait for ZMQ_POLLIN or ZMQ_POLLOUT. Errors: TIMEOUT (also after a signal), IO. */
diffuse_err link_wait(void *socket, short events, int64_t deadline);

/* Send [name][body], or [body] alone when name is NULL; never waits. Errors: BUSY, NOMEM, IO. */
diffuse_err link_send(void *socket, const char *name, const void *body, size_t len);

/* Subscribe to a prefix, or no more. Errors: NOMEM, IO. */
diffuse_err link_subscribe(void *socket, const char *prefix);
diffuse_err link_unsubscribe(void *socket, const char *prefix);

/* The first and the last frame of a message; the same bytes when it has but one. */
struct link_message {
    zmq_msg_t name, body;
    int frames;
};

/* Bytes in one message that the peer takes which this one came from, as it said in its handshake; 0
 * when it said nothing. */
size_t link_peer_limit(struct link_message *message);

/* Receive one message, waiting until the deadline. On OK pass it to link_message_done.
 * Errors: TIMEOUT, NOMEM, IO. */
diffuse_err link_recv(void *socket, int64_t deadline, struct link_message *ret_message);
void link_message_done(struct link_message *message);

/* Report the ends of the socket's connections to *ret_monitor, a socket of its own; once per
 * context for each name. Errors: IO. */
diffuse_err link_monitor(void *context, void *socket, const char *name, void **ret_monitor);

/* True when a connection has ended since the last question. */
bool link_was_cut(void *monitor);

/* The descriptor behind the socket (edge-triggered, as zmq_getsockopt(3) says). Errors: IO. */
diffuse_err link_fd(void *socket, int *ret_fd);

#endif
