/* inbox.h - a subscription socket, and the answers that were read from it too early.
 *
 * A handshake or a classify waits for one message and meets others on the way; those stay here, in
 * their order, for the next reader.
 */
#ifndef CLIENT_LINK_INBOX_H
#define CLIENT_LINK_INBOX_H

#include "client/link/result.h"

enum { INBOX_MAX = 65536 }; /* answers kept */

struct inbox {
    void *socket; /* NULL: not open */
    diffuse_result *first, *last;
    size_t n;
};

/* Close the socket and free what is kept. */
void inbox_done(struct inbox *inbox);

/* Keep a result, which is the inbox's afterwards in every case. Errors: BUSY (INBOX_MAX are kept).
 */
diffuse_err inbox_keep(struct inbox *inbox, diffuse_result **result_p, struct reason *why);

/* The oldest kept result, or NULL. */
diffuse_result *inbox_take(struct inbox *inbox);

/* A new result from the socket, past the kept ones. Errors: TIMEOUT, NOMEM, BADMSG, TOOBIG, IO. */
diffuse_err inbox_receive(struct inbox *inbox, int64_t deadline, diffuse_result **ret_result,
                          struct reason *why);

#endif
