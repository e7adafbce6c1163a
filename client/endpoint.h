/* endpoint.h - where the daemon's four sockets are. */
#ifndef CLIENT_ENDPOINT_H
#define CLIENT_ENDPOINT_H

#include "client/diffuse.h"
#include "proto/limits.h"
#include "proto/reason.h"

/* The daemon's sockets, in the order of their TCP ports. */
enum role { ROLE_INGEST, ROLE_PUSH, ROLE_LABELS, ROLE_CONTROL, ROLES };

enum { ENDPOINT_URL_BYTES = 256 };

struct endpoint {
    char text[ENDPOINT_URL_BYTES]; /* as given or found, for people */
    char url[ROLES][ENDPOINT_URL_BYTES];
};

/* Fill all of *ret_endpoint from the options and the environment. Errors: INVAL. */
diffuse_err endpoint_resolve(const struct diffuse_options *options, struct endpoint *ret_endpoint,
                             struct reason *why);

/* "ingest", "push", "labels" or "control". */
const char *endpoint_role_name(enum role role);

/* The path of an ipc URL, NULL for other transports. Borrowed from url. */
const char *endpoint_ipc_path(const char *url);

#endif
