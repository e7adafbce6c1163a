/* sync.h - the handshake against the slow joiner.
 *
 * A publisher knows of a subscription only when that has travelled to it, and drops what comes
 * before. So a client subscribes to what it wants and then to a topic of its own, and asks the
 * daemon to publish on that topic until it hears it: subscriptions travel in order, so the earlier
 * ones are in force too.
 */
#ifndef CLIENT_CALL_SYNC_H
#define CLIENT_CALL_SYNC_H

#include "client/call/client.h"

/* One step of the handshake for who reads the socket himself: have the daemon publish on topic,
 * which begins with DECODE_SYNC_PREFIX. Errors: TIMEOUT (control is not connected), NOMEM, IO. */
diffuse_err sync_ask(diffuse_client *c, const char *topic, int64_t deadline);

/* What the daemon replied to the last sync_ask, without waiting: OK when it did not refuse, or has
 * not replied yet. */
diffuse_err sync_refused(diffuse_client *c);

/* Wait until the subscriptions of inbox->socket are in force; other messages are kept in the inbox.
 * Errors: UNREACH, TIMEOUT (a signal), BUSY, NOMEM, IO; or what the daemon replied. */
diffuse_err sync_inbox(diffuse_client *c, struct inbox *inbox, int64_t deadline);

/* The same for c->answers. A handshake that did not end in time goes on with the next call. */
diffuse_err sync_answers(diffuse_client *c, int64_t deadline);

/* Read until the event on topic, which is the caller's then (with ret_result NULL: is dropped);
 * other messages are kept in the inbox. Errors: TIMEOUT (also after a signal), BUSY, NOMEM, IO. */
diffuse_err sync_hear(diffuse_client *c, struct inbox *inbox, const char *topic, int64_t deadline,
                      diffuse_result **ret_result);

/* After a cut: the handshake of sync_answers begins anew. */
void sync_forget(diffuse_client *c);

/* Make sure that answers on this stream reach c->answers. Errors: as above; INVAL: too many
 * streams. */
diffuse_err sync_stream(diffuse_client *c, const char *stream, uint64_t hash, int64_t deadline);

#endif
