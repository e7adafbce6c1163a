/* secure.h - the keys with which a client goes over the network. */
#ifndef CLIENT_LINK_SECURE_H
#define CLIENT_LINK_SECURE_H

#include "client/link/address.h"
#include "client/link/link.h"

/* Read the keys that the options or the environment name, if one of the sockets is reached over
 * tcp. Errors: INVAL (one of the two alone, no key in a file, a secret that others may read),
 * NOTFOUND, IO. */
diffuse_err secure_resolve(const struct diffuse_options *options, const struct address *address,
                           struct link_keys *ret_keys, struct reason *why);

/* What may be wrong when nobody answers over tcp, to go behind that. Static. */
const char *secure_hint(const struct link_keys *keys);

#endif
