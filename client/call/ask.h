/* ask.h - requests and replies on the control socket. */
#ifndef CLIENT_CALL_ASK_H
#define CLIENT_CALL_ASK_H

#include "client/call/client.h"

/* Send a request; its id is set here and returned. Waits until the daemon is connected.
 * Errors: TIMEOUT, NOMEM, IO. */
diffuse_err ask_send(diffuse_client *c, Diffused__V1__Request *request, int64_t deadline);

/* Wait for the reply to the last request; replies to earlier ones are dropped. The message is to be
 * decoded, which has been seen to work with that id, and passed to link_message_done.
 * Errors: TIMEOUT, NOMEM, BADMSG, IO; or the error that the daemon replied. */
diffuse_err ask_reply(diffuse_client *c, int64_t deadline, struct link_message *ret_message);

#endif
