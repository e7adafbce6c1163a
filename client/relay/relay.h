/* relay.h - stands between a daemon and its clients, for the verbs of diffusectl that record and
 * replay what passes. The rules of diffuse.h hold here too. */
#ifndef CLIENT_RELAY_RELAY_H
#define CLIENT_RELAY_RELAY_H

#include "client/diffuse.h"
#include "client/relay/frames.h"

/* Stands between a daemon and its clients: binds four sockets like the daemon's, and passes on all
 * that comes, both ways, in order, while its owner looks on. It takes from a publisher only what
 * the daemon takes from it, so back-pressure reaches through it, and loses nothing while the daemon
 * lives: what it holds at any time is a few messages per connection, as the daemon does. A
 * subscriber that does not read for half a second loses labels, as the daemon's do. Of a message
 * with more than DIFFUSE_MESSAGE_FRAMES frames, which the daemon refuses, it passes on the first.
 *
 * When the daemon restarts it waits, and lets nothing through until labels reach it again. */
typedef struct diffuse_relay diffuse_relay;

/* Zero it, set size = sizeof, change what you need. */
struct diffuse_relay_options {
    size_t size;
    /* Where to listen, as diffuse_options.endpoint; a directory must exist. NULL: nowhere, and then
     * only labels and events are heard. */
    const char *listen;
    /* max_message of the daemon's configuration; 0: 16384, its default. Who sends a frame of more
     * than twice of it is disconnected, here as there. */
    uint32_t max_message;
};

/* Returns when the daemon's labels reach the relay. The client is borrowed until _free.
 * Errors: NOMEM, INVAL, UNREACH, IO (such as: somebody listens there already). */
DIFFUSE_MUST_CHECK diffuse_err diffuse_relay_new(diffuse_client *client,
                                                 const struct diffuse_relay_options *options,
                                                 int timeout_ms, diffuse_relay **ret_relay);

/* Pass messages on until one was passed that is worth a look, which is then described; its frames
 * are valid until the next call. Handshakes ($sys/sync/) and control are passed without a word.
 * Nothing passes while nobody calls this. Errors: TIMEOUT; NOTFOUND: drained, see below; IO, NOMEM.
 */
DIFFUSE_MUST_CHECK diffuse_err diffuse_relay_next(diffuse_relay *relay, int timeout_ms,
                                                  struct diffuse_message *ret_message);

/* End: nobody new is let in, and what connected publishers send is taken for half a second more
 * (what is unread then goes with the connection, as at the daemon's end). diffuse_relay_next goes
 * on until all that passed is answered, or nothing of it has moved for two seconds, and then
 * returns NOTFOUND. */
void diffuse_relay_drain(diffuse_relay *relay);

struct diffuse_relay_counts {
    uint64_t dropped;  /* labels that did not reach a subscriber that does not read */
    uint64_t held;     /* messages taken from publishers that the daemon has not taken */
    uint64_t owed;     /* samples passed on whose labels have not come */
    uint64_t restarts; /* connections to the daemon that ended */
};
void diffuse_relay_count(const diffuse_relay *relay, struct diffuse_relay_counts *ret_counts);

/* What is held is lost. Removes the sockets. */
void diffuse_relay_free(diffuse_relay *relay);

#endif
