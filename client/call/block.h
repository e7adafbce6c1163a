/* block.h - a reply of the daemon's as one block of memory: the struct that the caller gets, and
 * behind it all that it points to. free() ends it. */
#ifndef CLIENT_CALL_BLOCK_H
#define CLIENT_CALL_BLOCK_H

#include <stddef.h>

#include "client/call/client.h"
#include "proto/decode.h"

/* The bytes as a C string in m; "" when there are none, or m is full (which block_ask sees). */
const char *block_text(struct msgmem *m, ProtobufCBinaryData bytes);

/* Fill the zeroed head from a reply, other memory from m. Errors: BADMSG, another result than was
 * asked for. */
typedef diffuse_err block_fill(void *head, struct msgmem *m, const Diffused__V1__Reply *reply,
                               struct reason *why);

/* Ask, and make a block with a head of so many bytes of the answer. Errors: NOMEM, TIMEOUT, BADMSG,
 * TOOBIG, IO, or what the daemon refused with. */
diffuse_err block_ask(diffuse_client *c, Diffused__V1__Request *request, int64_t deadline,
                      size_t head, block_fill *fill, void **ret_head);

#endif
