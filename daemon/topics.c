#include "daemon/topics.h"

static uint32_t find(const struct topics *t, uint64_t hash) {
    uint32_t i = 0;
    while (i < t->n && t->hash[i] != hash)
        i++;
    return i;
}

bool topics_add(struct topics *t, const struct keyed *key, const uint8_t *topic, size_t len) {
    uint64_t hash = keyed_hash(key, topic, len);
    if (find(t, hash) < t->n)
        return true;
    if (t->n == TOPICS_MAX || len > TOPICS_BYTES - t->bytes)
        return false;
    t->hash[t->n] = hash;
    t->len[t->n++] = (uint16_t)len;
    t->bytes += (uint32_t)len;
    return true;
}

void topics_remove(struct topics *t, const struct keyed *key, const uint8_t *topic, size_t len) {
    uint32_t i = find(t, keyed_hash(key, topic, len));
    if (i == t->n)
        return;
    t->bytes -= t->len[i];
    t->n--;
    t->hash[i] = t->hash[t->n];
    t->len[i] = t->len[t->n];
}
