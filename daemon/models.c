#include "daemon/models.h"

#include <assert.h>
#include <stddef.h>

void models_begin(struct models *m) {
    m->serving = &m->slot[0];
    m->previous = NULL;
}

struct slot *models_lend(struct models *m) {
    struct slot *other = m->serving == &m->slot[0] ? &m->slot[1] : &m->slot[0];
    if (other->in_flight > 0)
        return NULL;
    m->previous = NULL;
    return other;
}

void models_swap(struct models *m, struct slot *loaded) {
    assert(loaded->model && loaded != m->serving);
    m->previous = m->serving;
    m->serving = loaded;
}

diffuse_err models_rollback(struct models *m, struct reason *why) {
    if (!m->previous)
        return reason_set(why, DIFFUSE_NOTFOUND,
                          "there is no model to go back to: nothing was reloaded since the start, "
                          "or the last file that was refused had taken its place");
    struct slot *serving = m->serving;
    m->serving = m->previous;
    m->previous = serving;
    return DIFFUSE_OK;
}

void models_done(struct models *m) {
    for (size_t i = 0; i < sizeof m->slot / sizeof m->slot[0]; i++)
        slot_clear(&m->slot[i]);
    m->serving = m->previous = NULL;
}
