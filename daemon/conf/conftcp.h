/* conftcp.h - what the configuration says about TCP: where, and under whose protection. */
#ifndef DAEMON_CONF_CONFTCP_H
#define DAEMON_CONF_CONFTCP_H

#include <stdbool.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/socket.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* Parts of conf_finish, each about one key. An endpoint is ipc or tcp, and TCP without CURVE stays
 * inside this machine unless the configuration says otherwise in words. Errors: INVAL with a
 * reason.
 */
DIFFUSE_MUST_CHECK diffuse_err conftcp_endpoint(const struct conf *c, const char *key,
                                                const char *url, struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err conftcp_connects(const struct conf *c, struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err conftcp_base(const struct conf *c, struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err conftcp_keys(const struct conf *c, struct reason *why);

/* Where a door listens besides, as `tcp` says: ret_url (CONF_TEXT_BYTES). False: nowhere. */
bool conftcp_besides(const struct conf *c, enum door door, char *ret_url);

/* Does anybody come in with CURVE? Does anything go over TCP? */
bool conftcp_curve(const struct conf *c);
bool conftcp_used(const struct conf *c);

#endif
