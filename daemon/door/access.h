/* access.h - the loop's side of the doors: reads subscriptions, sees to it that no
 * socket is left untouched, and says who was not let in. Threads: the loop thread only.
 */
#ifndef DAEMON_DOOR_ACCESS_H
#define DAEMON_DOOR_ACCESS_H

#include "daemon/common/log.h"
#include "daemon/common/stats.h"
#include "daemon/conf/conf.h"
#include "daemon/door/recv.h"
#include "daemon/door/sockets.h"

struct access { /* all borrowed */
    const struct conf *conf;
    struct sockets *sockets;
    struct log *log;
    struct stats *stats;
};

/* Subscriptions take effect when the socket is read; what they say does not concern us. True: it
 * was read to its end. */
bool access_subscriptions(struct access *p);

/* May the sender of m (a message of ingest or push) give feedback? When not, that is counted and
 * logged. */
bool access_may_advise(struct access *p, struct recv_message *m, bool from_push);

/* Read the list of keys again, if there is one, and end the connections of those that may read
 * labels no longer. Errors: as keyring_read; they are logged, and the keys from before go on. */
diffuse_err access_keys(struct access *p, struct reason *why);

/* Did m (a request) come over the network? */
bool access_is_remote(struct recv_message *m);

/* A socket's group for a line: "of the daemon" when none is named. */
const char *access_group(const char *name);

/* May the sender of m (a request) change something? When not, uid and process are for a line. */
bool access_may_change(struct access *p, struct recv_message *m, unsigned *ret_uid, int *ret_pid);

/* What the doors did is counted and logged. */
void access_news(struct access *p);

/* Once a second: ZeroMQ gives up what belonged to peers that left only in calls on their socket;
 * who takes too long is ended; and access_news. */
void access_tick(struct access *p);

#endif
