/* webaddress.h - ADDRESS:PORT of the key metrics. */
#ifndef DAEMON_CONF_WEBADDRESS_H
#define DAEMON_CONF_WEBADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

union webaddress {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

#define WEBADDRESS_BYTES 64u /* of its text, with the NUL */

/* "127.0.0.1:9464" or "[::1]:9464"; port 0: one that is free. beyond: may it be another address
 * than of this machine's own loopback? Errors: INVAL with a reason. */
DIFFUSE_MUST_CHECK diffuse_err webaddress_parse(const char *text, bool beyond,
                                                union webaddress *ret_address, struct reason *why);

/* The address with a port, as it is parsed. */
void webaddress_show(const union webaddress *a, unsigned port, char *ret_text, size_t cap);

#endif
