/* resend.h - a cut connection: it is noticed, and what was not answered is sent again.
 *
 * A daemon that went away has taken messages with it, and so has a connection that was cut. What a
 * client has in flight is kept until its answer is there; after a cut, and after the handshake that
 * follows it, whatever the answers at hand do not settle goes out again, in its order and under its
 * seq. Each ticket gets one answer: whoever else watches the stream may see two labels of a seq
 * where a connection was cut and the daemon lives on.
 */
#ifndef CLIENT_CALL_RESEND_H
#define CLIENT_CALL_RESEND_H

#include "client/call/client.h"

/* Was a connection cut since the last look? Then subscriptions are no longer known to be in force,
 * and all in flight is to be sent again. */
void resend_look(diffuse_client *c);

/* Send what is to be sent, after a cut by way of a handshake. Errors: BUSY (the daemon takes
 * nothing), UNREACH (it has not come back), TIMEOUT (a signal), NOMEM, IO; then the rest stays to
 * be sent. */
diffuse_err resend_flush(diffuse_client *c, int64_t deadline);

/* The next answer from the socket, past the kept ones; *ret_result is NULL when answers were kept
 * meanwhile, which are to be looked at first. Errors: TIMEOUT, UNREACH, NOMEM, BADMSG, TOOBIG, IO.
 */
diffuse_err resend_receive(diffuse_client *c, int64_t deadline, diffuse_result **ret_result);

/* sync_stream, after a look for a cut: a restarted daemon may take texts again before it knows of
 * the subscriptions again. */
diffuse_err resend_stream(diffuse_client *c, const char *stream, uint64_t hash, int64_t deadline);

#endif
