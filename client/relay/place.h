/* place.h - socket files that we bind: never over somebody who listens there, and gone afterwards.
 */
#ifndef CLIENT_RELAY_PLACE_H
#define CLIENT_RELAY_PLACE_H

#include <sys/types.h>

#include "client/diffuse.h"
#include "proto/reason.h"

struct place {
    dev_t device; /* of the file that was bound; inode 0: none */
    ino_t inode;
};

/* Make url free to be bound: a socket file that nobody listens on is removed. Other transports than
 * ipc are left to themselves. Errors: IO (somebody listens there, or it is no socket). */
diffuse_err place_claim(const char *url, struct reason *why);

/* Which file stands at url, to be removed later. */
struct place place_identify(const char *url);

/* Remove the file at url if it is still that one. */
void place_remove(const char *url, const struct place *place);

#endif
