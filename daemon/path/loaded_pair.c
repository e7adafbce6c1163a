#include "daemon/path/loaded_pair.h"

#include <assert.h>
#include <stddef.h>

void loaded_pair_begin(struct loaded_pair *m) {
    m->serving = &m->slot[0];
    m->previous = NULL;
}

struct loaded_model *loaded_pair_lend(struct loaded_pair *m) {
    struct loaded_model *other = m->serving == &m->slot[0] ? &m->slot[1] : &m->slot[0];
    if (other->in_flight > 0)
        return NULL;
    m->previous = NULL;
    return other;
}

void loaded_pair_swap(struct loaded_pair *m, struct loaded_model *loaded) {
    assert(loaded->model && loaded != m->serving);
    m->previous = m->serving;
    m->serving = loaded;
}

diffuse_err loaded_pair_rollback(struct loaded_pair *m, struct reason *why) {
    if (!m->previous)
        return reason_set(why, DIFFUSE_NOTFOUND,
                          "there is no model to go back to: nothing was reloaded since the start, "
                          "or the last file that was refused had taken its place");
    struct loaded_model *serving = m->serving;
    m->serving = m->previous;
    m->previous = serving;
    return DIFFUSE_OK;
}

void loaded_pair_done(struct loaded_pair *m) {
    for (size_t i = 0; i < sizeof m->slot / sizeof m->slot[0]; i++)
        loaded_model_clear(&m->slot[i]);
    m->serving = m->previous = NULL;
}
