/* weights.c - see weights.h. Everything here is made from params.def. */
#include "model/net/weights.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A row of params.def for one configuration. */
struct param {
    const char *name;
    uint32_t rows, cols;
    enum weights_part part;
    enum weights_init_kind init;
    bool per_step, decays, present;
    size_t member;
};

#define PER_STEP_MODEL      false
#define PER_STEP_STEP       true
#define MEMBER_MODEL(field) offsetof(struct net_weights, field)
#define MEMBER_STEP(field)  offsetof(struct weights_step, field)
#define PARAM(field, name, rows, cols, scope, part, init, decay, when)                             \
    {name,                                                                                         \
     rows,                                                                                         \
     cols,                                                                                         \
     WEIGHTS_PART_##part,                                                                          \
     WEIGHTS_INIT_##init,                                                                          \
     PER_STEP_##scope,                                                                             \
     decay,                                                                                        \
     when,                                                                                         \
     MEMBER_##scope(field)},

static void list_add(struct weights_list *l, const struct param *p, const char *prefix,
                     uint32_t step) {
    struct weights_tensor *t = &l->tensor[l->n++];

    assert(l->n <= WEIGHTS_TENSORS_MAX);
    (void)snprintf(t->name, sizeof t->name, "%s%s", prefix, p->name);
    t->rows = p->rows;
    t->cols = p->cols;
    t->count = (size_t)p->rows * (p->cols ? p->cols : 1);
    t->offset = l->entries;
    t->init = p->init;
    t->part = p->part;
    t->decays = p->decays;
    t->table = p->part == WEIGHTS_PART_TABLE;
    t->per_step = p->per_step;
    t->step = step;
    t->member = p->member;
    l->entries += t->count;
    if (t->table)
        l->table_entries = l->entries;
}

static void list_add_steps(struct weights_list *l, const struct net_config *c,
                           const struct param *p, size_t n) {
    uint32_t sets = c->per_step ? c->steps : 1;
    char prefix[24] = "";

    for (uint32_t t = 0; t < sets; t++) {
        if (c->per_step)
            (void)snprintf(prefix, sizeof prefix, "step.%u.", t);
        for (size_t i = 0; i < n; i++)
            if (p[i].present)
                list_add(l, &p[i], prefix, t);
    }
}

void weights_list_make(const struct net_config *c, struct weights_list *ret_list) {
    const struct param params[] = {
#include "model/net/params.def"
    };
    size_t n = sizeof params / sizeof *params, end;

    memset(ret_list, 0, sizeof *ret_list);
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; params[i].per_step && end < n && params[end].per_step; end++)
            ;
        if (params[i].per_step)
            list_add_steps(ret_list, c, params + i, end - i);
        else if (params[i].present)
            list_add(ret_list, &params[i], "", 0);
    }
}

static void set_pointer(void *owner, size_t member, real *p) {
    memcpy((char *)owner + member, &p, sizeof p);
}

void weights_point(struct net_weights *w, const struct net_config *c, real *block,
                   bool without_tables) {
    struct weights_list l;

    weights_list_make(c, &l);
    memset(w, 0, sizeof *w);
    w->block = block;
    for (size_t i = 0; i < l.n; i++) {
        const struct weights_tensor *t = &l.tensor[i];

        if (t->table && without_tables)
            continue;
        real *p = block + t->offset - (without_tables ? l.table_entries : 0);

        if (!t->per_step)
            set_pointer(w, t->member, p);
        for (uint32_t s = 0; t->per_step && s < c->steps; s++)
            if (!c->per_step || s == t->step)
                set_pointer(&w->step[s], t->member, p);
    }
}

size_t weights_bytes(const struct net_config *c) {
    struct weights_list l;

    weights_list_make(c, &l);
    return arena_block(sizeof(struct net_weights)) + arena_block(l.entries * sizeof(real));
}

diffuse_err weights_new(struct arena *arena, const struct net_config *c,
                        struct net_weights **ret_weights) {
    struct weights_list l;
    size_t mark = arena_mark(arena);
    struct net_weights *w = arena_alloc(arena, sizeof *w);
    real *block;

    weights_list_make(c, &l);
    block = arena_alloc(arena, l.entries * sizeof *block);
    if (!w || !block) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    weights_point(w, c, block, false);
    *ret_weights = w;
    return DIFFUSE_OK;
}

void weights_init_tensor(struct net_weights *w, const struct weights_tensor *t, double table_std,
                         struct rng *rng) {
    real *x = w->block + t->offset;
    double std = t->init == WEIGHTS_INIT_TABLE ? table_std : 1 / sqrt(t->cols ? t->cols : 1);

    for (size_t j = 0; j < t->count; j++) {
        if (t->init == WEIGHTS_INIT_TABLE || t->init == WEIGHTS_INIT_LINEAR)
            x[j] = (real)(std * rng_normal(rng));
        else
            x[j] = t->init == WEIGHTS_INIT_ONE;
    }
}

void weights_init(struct net_weights *w, const struct net_config *c, double table_std,
                  struct rng *rng) {
    struct weights_list l;

    weights_list_make(c, &l);
    for (size_t i = 0; i < l.n; i++)
        weights_init_tensor(w, &l.tensor[i], table_std, rng);
}
