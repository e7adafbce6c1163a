/* address.h - where the daemon's four sockets are. */
#ifndef CLIENT_LINK_ADDRESS_H
#define CLIENT_LINK_ADDRESS_H

#include "client/diffuse.h"
#include "proto/limits.h"
#include "proto/reason.h"

/* The daemon's sockets, in the order of their TCP ports. */
enum role { ROLE_INGEST, ROLE_PUSH, ROLE_LABELS, ROLE_CONTROL, ROLES };

enum { ADDRESS_URL_BYTES = 256 };

struct address {
    char text[ADDRESS_URL_BYTES]; /* as given or found, for people */
    char url[ROLES][ADDRESS_URL_BYTES];
};

/* Fill all of *ret_address from the options and the environment. Errors: INVAL. */
diffuse_err address_resolve(const struct diffuse_options *options, struct address *ret_address,
                            struct reason *why);

/* "ingest", "push", "labels" or "control". */
const char *address_role_name(enum role role);

/* The path of an ipc URL, NULL for other transports. Borrowed from url. */
const char *address_ipc_path(const char *url);

#endif
