/* topics.h - the subscriptions of one connection, as many as it may have. Threads: the caller's. */
#ifndef DAEMON_DOOR_TOPICS_H
#define DAEMON_DOOR_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPICS_MAX   32u   /* subscriptions of one connection */
#define TOPICS_BYTES 1024u /* of all of them together */
/* What these cost in ZeroMQ's trie, at worst: a node for each byte, and for each topic a table
 * where it parts from the others. */
#define TOPICS_COST (TOPICS_BYTES * 48u + TOPICS_MAX * 2048u)

struct topics { /* zeroed: none */
    uint32_t n, bytes;
    uint16_t len[TOPICS_MAX];
    uint8_t text[TOPICS_BYTES]; /* one behind the other */
};

/* False: it is one too many, and not taken. A topic that is there already is taken. */
bool topics_add(struct topics *t, const uint8_t *topic, size_t len);

/* Fine when it is not there. */
void topics_remove(struct topics *t, const uint8_t *topic, size_t len);

/* Does a message on this topic go to who has these? */
bool topics_match(const struct topics *t, const uint8_t *topic, size_t len);

#endif
