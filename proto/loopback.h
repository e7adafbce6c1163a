/* loopback.h - does an endpoint stay inside this machine? Pure. */
#ifndef PROTO_LOOPBACK_H
#define PROTO_LOOPBACK_H

#include <stdbool.h>

/* True for ipc:// and for tcp:// with a loopback address: 127.0.0.0/8, [::1], localhost or the
 * interface lo. */
bool loopback_only(const char *url);

#endif
