#include "daemon/door/topics.h"

#include <string.h>

struct place {
    uint32_t i, at; /* which it is, and where it begins; i == n: not there */
};

static struct place find(const struct topics *t, const uint8_t *topic, size_t len) {
    struct place p = {0, 0};
    while (p.i < t->n &&
           (t->len[p.i] != len || (len > 0 && memcmp(t->text + p.at, topic, len) != 0)))
        p.at += t->len[p.i++];
    return p;
}

bool topics_add(struct topics *t, const uint8_t *topic, size_t len) {
    if (find(t, topic, len).i < t->n)
        return true;
    if (t->n == TOPICS_MAX || len > TOPICS_BYTES - t->bytes)
        return false;
    if (len > 0)
        memcpy(t->text + t->bytes, topic, len);
    t->len[t->n++] = (uint16_t)len;
    t->bytes += (uint32_t)len;
    return true;
}

void topics_remove(struct topics *t, const uint8_t *topic, size_t len) {
    struct place p = find(t, topic, len);
    if (p.i == t->n)
        return;
    uint32_t next = p.at + (uint32_t)len;
    memmove(t->text + p.at, t->text + next, t->bytes - next);
    memmove(t->len + p.i, t->len + p.i + 1, (t->n - p.i - 1) * sizeof t->len[0]);
    t->bytes -= (uint32_t)len;
    t->n--;
}

bool topics_match(const struct topics *t, const uint8_t *topic, size_t len) {
    const uint8_t *text = t->text;
    for (uint32_t i = 0; i < t->n; text += t->len[i++]) {
        if (t->len[i] <= len && (t->len[i] == 0 || memcmp(text, topic, t->len[i]) == 0))
            return true;
    }
    return false;
}
