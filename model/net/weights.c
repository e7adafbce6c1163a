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

static void point_body(struct net_weights *w, const struct net_config *c,
                       const struct weights_list *l, real *body) {
    w->body = body;
    for (size_t i = 0; i < l->n; i++) {
        const struct weights_tensor *t = &l->tensor[i];
        real *p = body + t->offset - l->table_entries;

        if (t->table)
            continue;
        if (!t->per_step)
            set_pointer(w, t->member, p);
        for (uint32_t s = 0; t->per_step && s < c->steps; s++)
            if (!c->per_step || s == t->step)
                set_pointer(&w->step[s], t->member, p);
    }
}

void weights_point(struct net_weights *w, const struct net_config *c, real *block,
                   bool without_tables) {
    struct weights_list l;

    weights_list_make(c, &l);
    memset(w, 0, sizeof *w);
    w->block = block;
    point_body(w, c, &l, block + (without_tables ? 0 : l.table_entries));
    if (without_tables)
        return;
    w->embed = block;
    w->embed_table = (struct table){TABLE_REAL, c->vocab, c->width, w->embed, NULL};
    if (c->ngram_rows == 0)
        return;
    w->ngram = block + (size_t)c->vocab * c->width;
    w->ngram_table = (struct table){TABLE_REAL, c->ngram_rows, c->width, w->ngram, NULL};
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

static size_t serving_bytes(const struct table *t) {
    return arena_block(table_bytes(t)) + arena_block(table_scale_bytes(t));
}

size_t weights_serving_bytes(const struct net_config *c, enum table_type embed,
                             enum table_type ngram) {
    const struct table e = {.type = embed, .rows = c->vocab, .cols = c->width},
                       n = {.type = ngram, .rows = c->ngram_rows, .cols = c->width};
    struct weights_list l;

    weights_list_make(c, &l);
    return arena_block(sizeof(struct net_weights)) + serving_bytes(&e) +
           (c->ngram_rows ? serving_bytes(&n) : 0) +
           arena_block((l.entries - l.table_entries) * sizeof(real));
}

static bool lay_table(struct arena *arena, struct table *t, enum table_type type, uint32_t rows,
                      uint32_t cols) {
    *t = (struct table){.type = type, .rows = rows, .cols = cols};
    t->at = arena_alloc(arena, table_bytes(t));
    if (table_scale_bytes(t) > 0)
        t->scale = arena_alloc(arena, table_scale_bytes(t));
    return t->at && (t->scale || table_scale_bytes(t) == 0);
}

diffuse_err weights_new_serving(struct arena *arena, const struct net_config *c,
                                enum table_type embed, enum table_type ngram,
                                struct net_weights **ret_weights) {
    size_t mark = arena_mark(arena);
    struct net_weights *w = arena_alloc(arena, sizeof *w);
    struct weights_list l;
    real *body = NULL;

    weights_list_make(c, &l);
    if (w && lay_table(arena, &w->embed_table, embed, c->vocab, c->width) &&
        (c->ngram_rows == 0 || lay_table(arena, &w->ngram_table, ngram, c->ngram_rows, c->width)))
        body = arena_alloc(arena, (l.entries - l.table_entries) * sizeof *body);
    if (!body) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    point_body(w, c, &l, body);
    *ret_weights = w;
    return DIFFUSE_OK;
}

void weights_table_row(const struct net_weights *w, size_t row, real *y) {
    uint32_t vocab = w->embed_table.rows;

    if (row < vocab)
        table_copy_row(&w->embed_table, (uint32_t)row, y);
    else
        table_copy_row(&w->ngram_table, (uint32_t)(row - vocab), y);
}

void weights_widen_tensor(const struct net_weights *w, const struct weights_list *l,
                          const struct weights_tensor *t, real *y) {
    if (!t->table)
        memcpy(y, w->body + t->offset - l->table_entries, t->count * sizeof *y);
    else
        table_widen(t->offset == 0 ? &w->embed_table : &w->ngram_table, y);
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

void weights_scale_updates(struct net_weights *w, const struct net_config *c, double scale) {
    uint32_t sets = c->per_step ? c->steps : c->steps > 0;

    for (uint32_t t = 0; t < sets; t++)
        for (size_t j = 0; j < (size_t)c->width * c->mlp_width; j++)
            w->step[t].mlp_out[j] *= (real)scale;
}

void weights_init(struct net_weights *w, const struct net_config *c, double table_std,
                  struct rng *rng) {
    struct weights_list l;

    weights_list_make(c, &l);
    for (size_t i = 0; i < l.n; i++)
        weights_init_tensor(w, &l.tensor[i], table_std, rng);
}
