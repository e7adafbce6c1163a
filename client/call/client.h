/* client.h - what the library's own files see of a client. */
#ifndef CLIENT_CALL_CLIENT_H
#define CLIENT_CALL_CLIENT_H

#include <stdbool.h>

#include "client/diffuse.h"
#include "client/link/address.h"
#include "client/link/flight.h"
#include "client/link/inbox.h"
#include "client/link/link.h"
#include "proto/reason.h"

enum { CLIENT_NONCE_BYTES = 16, CLIENT_STREAMS = 4096 };

struct diffuse_client {
    struct reason why;
    struct address address;
    struct link_keys keys;
    uint32_t queue, linger_ms;
    void *context;
    void *socket[ROLES]; /* opened when first needed; ROLE_LABELS lives in answers */
    struct inbox answers;
    void *monitor;      /* tells when answers' connection was cut, */
    void *push_monitor; /* and when push's was */
    bool cut;           /* since one was, not all in flight has been sent again */
    uint64_t cuts, resent;
    struct flight flight;
    diffuse_ticket last_ticket;
    uint64_t last_request, last_sync;
    char nonce[CLIENT_NONCE_BYTES + 1]; /* sets this client apart from all others */
    char stream[32];                    /* its own stream, */
    uint64_t own_seq;                   /* and the last seq used there */
    uint64_t *joined;                   /* flight_hash of the streams subscribed to, 4096 at most */
    size_t n_joined;
    size_t max_message; /* bytes that the daemon takes in one message; 0: not known yet */
    char topic[LIMIT_STREAM_BYTES]; /* of a handshake that is not over; "": none */
    bool in_force;                  /* the subscriptions of joined have been seen to work */
    int listeners;                  /* subscriptions that ingest's other side holds */
    unsigned char *buffer;          /* a message being encoded */
    size_t buffer_size;
};

/* The socket towards one of the daemon's, opened on first use. Errors: IO, INVAL. */
diffuse_err client_socket(diffuse_client *c, enum role role, void **ret_socket);

/* Wait until the daemon listens to ingest, of which socket is ours. Errors: UNREACH, NOMEM, IO. */
diffuse_err client_await_listener(diffuse_client *c, void *socket, int64_t deadline);

/* c->answers' socket and the monitors, opened on first use. Errors: IO, INVAL. */
diffuse_err client_open_answers(diffuse_client *c);

/* The socket towards push and its monitor, opened on first use. Errors: IO, INVAL. */
diffuse_err client_open_push(diffuse_client *c, void **ret_socket);

/* A new subscription socket, not yet subscribed to anything. */
diffuse_err client_open_inbox(diffuse_client *c, struct inbox *inbox);

/* At least size bytes in c->buffer. Errors: NOMEM. */
diffuse_err client_reserve(diffuse_client *c, size_t size);

/* Is a message of so many bytes more than the daemon takes? Errors: TOOBIG. */
diffuse_err client_check_size(diffuse_client *c, size_t len);

/* May this process reach the socket, by the permissions of the way to it? What is not there passes.
 * Errors: DENIED, with the group that may. */
diffuse_err client_check_access(diffuse_client *c, enum role role);

/* Say who did not answer: UNREACH, or as above. */
diffuse_err client_unreachable(diffuse_client *c, enum role role);

/* Copy a struct of the caller's, which begins with its size, into to (full bytes, first zeroed).
 * Errors: INVAL when it is shorter than a size_t or has unknown fields that are not zero. */
diffuse_err client_read_struct(void *to, size_t full, const void *from, const char *what,
                               struct reason *why);

#endif
