/* porter.h - the loop's side of the doors: reads subscriptions, sees to it that no
 * socket is left untouched, and says who was not let in. Threads: the loop thread only.
 */
#ifndef DAEMON_PORTER_H
#define DAEMON_PORTER_H

#include "daemon/conf.h"
#include "daemon/log.h"
#include "daemon/recv.h"
#include "daemon/sockets.h"
#include "daemon/stats.h"

struct porter { /* all borrowed */
    const struct conf *conf;
    struct sockets *sockets;
    struct log *log;
    struct stats *stats;
};

/* Subscriptions take effect when the socket is read; what they say does not concern us. True: it
 * was read to its end. */
bool porter_subscriptions(struct porter *p);

/* May the sender of m (a message of ingest or push) give feedback? When not, that is counted and
 * logged. */
bool porter_may_advise(struct porter *p, struct recv_message *m, bool from_push);

/* Read the list of keys again, if there is one, and end the connections of those that may read
 * labels no longer. Errors: as keyring_read; they are logged, and the keys from before go on. */
diffuse_err porter_keys(struct porter *p, struct reason *why);

/* Did m (a request) come over the network? */
bool porter_is_remote(struct recv_message *m);

/* A socket's group for a line: "of the daemon" when none is named. */
const char *porter_group(const char *name);

/* May the sender of m (a request) change something? When not, uid and process are for a line. */
bool porter_may_change(struct porter *p, struct recv_message *m, unsigned *ret_uid, int *ret_pid);

/* What the doors did is counted and logged. */
void porter_news(struct porter *p);

/* Once a second: ZeroMQ gives up what belonged to peers that left only in calls on their socket;
 * who takes too long is ended; and porter_news. */
void porter_tick(struct porter *p);

#endif
