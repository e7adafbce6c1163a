#include "model/train/update/update.h"

#include <stdlib.h>

#include "model/base/vec.h"
#include "proto/limits.h"

static size_t table_rows(const struct net_config *c) {
    return (size_t)c->vocab + c->ngram_rows;
}

static bool tables_rest(const struct update_options *o) {
    return o->from > WEIGHTS_PART_TABLE;
}

size_t update_bytes(const struct net_config *c, const struct update_options *o, unsigned members,
                    bool accumulates) {
    struct weights_list l;
    size_t dense, bytes;

    weights_list_make(c, &l);
    dense = l.entries - l.table_entries;
    bytes = members * arena_block(dense * sizeof(real));
    if (tables_rest(o))
        return bytes + 2 * arena_block(dense * sizeof(real));
    bytes += 2 * arena_block(l.entries * sizeof(real));
    if (accumulates)
        bytes += arena_block(l.table_entries * sizeof(real)) + arena_block(table_rows(c));
    return bytes;
}

size_t update_bytes_each(const struct net_config *c, const struct update_options *o) {
    size_t order = c->ngram_order ? c->ngram_order : 1, row = c->width * store_each(o->kept);

    return tables_rest(o) ? 0 : row + order * (3 * sizeof(uint64_t) + row);
}

/* What the tables' gradients take. */
static diffuse_err fill_tables(struct update *u, const struct net_config *c, size_t max_vectors,
                               bool accumulates) {
    diffuse_err e = lookups_init(&u->lookups, c, max_vectors, u->o.kept);

    if (e)
        return e;
    u->vector = (struct store){
        u->o.kept, arena_alloc(&u->arena, max_vectors * c->width * store_each(u->o.kept))};
    if (!u->vector.at)
        return DIFFUSE_NOMEM;
    if (!accumulates)
        return DIFFUSE_OK;
    u->table = arena_alloc(&u->arena, u->list.table_entries * sizeof(real));
    u->touched = arena_alloc(&u->arena, table_rows(c));
    return u->table && u->touched ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static diffuse_err fill(struct update *u, const struct net_config *c, unsigned members,
                        size_t max_vectors, bool accumulates) {
    size_t moments = (u->list.entries - u->rests) * sizeof(real), dense = u->dense * sizeof(real);
    size_t vectors = tables_rest(&u->o) ? 0 : max_vectors * c->width * store_each(u->o.kept);
    diffuse_err e =
        arena_init(&u->arena, update_bytes(c, &u->o, members, accumulates) + arena_block(vectors));

    if (e)
        return e;
    u->grad = calloc(members, sizeof *u->grad);
    u->to = calloc(members, sizeof *u->to);
    if (!u->grad || !u->to)
        return DIFFUSE_NOMEM;
    for (unsigned i = 0; i < members; i++) {
        if (!(u->grad[i] = arena_alloc(&u->arena, dense)))
            return DIFFUSE_NOMEM;
        weights_point(&u->to[i], c, u->grad[i], true);
    }
    u->m = arena_alloc(&u->arena, moments);
    u->v = arena_alloc(&u->arena, moments);
    if (!u->m || !u->v)
        return DIFFUSE_NOMEM;
    return tables_rest(&u->o) ? DIFFUSE_OK : fill_tables(u, c, max_vectors, accumulates);
}

diffuse_err update_init(struct update *u, const struct net_config *c, struct net_weights *w,
                        const struct update_options *o, const struct team *team, size_t max_vectors,
                        bool accumulates) {
    diffuse_err e;

    *u = (struct update){.o = *o, .w = w, .loss_scale = 1};
    weights_list_make(c, &u->list);
    u->dense = u->list.entries - u->list.table_entries;
    u->rests = tables_rest(o) ? u->list.table_entries : 0;
    if ((e = fill(u, c, team_size(team), max_vectors, accumulates)))
        update_done(u);
    return e;
}

void update_done(struct update *u) {
    lookups_done(&u->lookups);
    arena_done(&u->arena);
    free(u->grad);
    free(u->to);
    *u = (struct update){0};
}

void update_collect(struct update *u, const struct team *team, unsigned member) {
    size_t from, to, C = u->lookups.width;
    real room[LIMIT_WIDTH];

    team_share(team, member, u->lookups.rows, &from, &to);
    (void)lookups_sum(&u->lookups, from, to, &u->vector);
    for (size_t r = from; r < to; r++) {
        size_t row = lookups_row(&u->lookups, r);

        vec_add(C, lookups_grad(&u->lookups, r, room), u->table + row * C);
        u->touched[row] = 1;
    }
}

/* Rows of the tables that are this member's, when they were collected. */
static void table_share(const struct update *u, const struct team *team, unsigned member,
                        size_t *ret_from, size_t *ret_to) {
    team_share(team, member, u->list.table_entries / u->lookups.width, ret_from, ret_to);
}

/* The part of tensor t that lies in [from, to) of the matrices and vectors; false: none, or it
 * rests. */
static bool dense_part(const struct update *u, const struct weights_tensor *t, size_t from,
                       size_t to, size_t *ret_begin, size_t *ret_end) {
    size_t begin, end;

    if (t->table || t->part < u->o.from)
        return false;
    begin = t->offset - u->list.table_entries;
    end = begin + t->count;
    *ret_begin = begin < from ? from : begin;
    *ret_end = end > to ? to : end;
    return *ret_begin < *ret_end;
}

/* Sum of squares of what is trained in [from, to) of the summed gradient. */
static double squares_of(const struct update *u, size_t from, size_t to) {
    double squares = 0;
    size_t begin, end;

    if (u->o.from <= WEIGHTS_PART_BODY)
        return (double)vec_sum_squares(to - from, u->grad[0] + from);
    for (size_t i = 0; i < u->list.n; i++)
        if (dense_part(u, &u->list.tensor[i], from, to, &begin, &end))
            squares += (double)vec_sum_squares(end - begin, u->grad[0] + begin);
    return squares;
}

double update_reduce(struct update *u, const struct team *team, unsigned member) {
    size_t from, to;
    double squares;

    team_share(team, member, u->dense, &from, &to);
    for (unsigned i = 1; i < team_size(team); i++)
        vec_add(to - from, u->grad[i] + from, u->grad[0] + from);
    squares = squares_of(u, from, to);
    if (u->rests)
        return squares;
    if (!u->table) {
        team_share(team, member, u->lookups.rows, &from, &to);
        return squares + lookups_sum(&u->lookups, from, to, &u->vector);
    }
    table_share(u, team, member, &from, &to);
    for (size_t r = from; r < to; r++)
        if (u->touched[r])
            squares += (double)vec_sum_squares(u->lookups.width, u->table + r * u->lookups.width);
    return squares;
}

void update_prepare(struct update *u, double rate, double norm) {
    u->count++;
    u->scale = (u->o.clip > 0 && norm > u->o.clip ? (real)(u->o.clip / norm) : 1) / u->loss_scale;
    u->for_dense = (struct adamw){
        .lr = u->o.lr * rate, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .step = u->count};
    u->for_tables = u->for_dense;
    u->for_tables.lr = u->o.table_lr * rate;
    u->for_tables.decay = u->o.table_decay;
}

/* How much of the way to the anchor an update goes. */
static real way_of(const struct update *u, const struct adamw *a) {
    real way = (real)(a->lr * u->o.anchor_pull);

    return way < 1 ? way : 1;
}

/* Entries [at, at+n) of the block. */
static void apply_run(struct update *u, const struct adamw *a, size_t at, size_t n,
                      const real *grad) {
    adamw_update(a, n, u->scale, grad, u->m + at - u->rests, u->v + at - u->rests,
                 u->w->block + at);
}

/* Entries [at, at+n) of the body. */
static void pull_run(struct update *u, const struct adamw *a, size_t at, size_t n) {
    size_t anchored = at < u->o.anchored ? u->o.anchored - at : 0;
    real way = way_of(u, a);

    if (way > 0)
        vec_mix(anchored < n ? anchored : n, way, u->o.anchor->body + at, 1 - way, u->w->body + at);
}

static void apply_dense(struct update *u, size_t from, size_t to) {
    struct adamw a = u->for_dense;
    size_t begin, end;

    for (size_t i = 0; i < u->list.n; i++) {
        const struct weights_tensor *t = &u->list.tensor[i];

        if (!dense_part(u, t, from, to, &begin, &end))
            continue;
        a.decay = t->decays ? u->o.weight_decay : 0;
        apply_run(u, &a, u->list.table_entries + begin, end - begin, u->grad[0] + begin);
        pull_run(u, &a, begin, end - begin);
    }
}

static void pull_row(struct update *u, size_t row) {
    size_t C = u->lookups.width;
    real way = way_of(u, &u->for_tables), near[LIMIT_WIDTH];

    if (way > 0) {
        weights_table_row(u->o.anchor, row, near);
        vec_mix(C, way, near, 1 - way, u->w->block + row * C);
    }
}

static void apply_row(struct update *u, size_t row, const real *grad) {
    size_t C = u->lookups.width; /* the n-gram table follows the embedding */

    apply_run(u, &u->for_tables, row * C, C, grad);
    pull_row(u, row);
}

static void apply_collected(struct update *u, size_t from, size_t to) {
    size_t C = u->lookups.width;

    for (size_t r = from; r < to; r++)
        if (u->touched[r]) {
            apply_row(u, r, u->table + r * C);
            vec_zero(C, u->table + r * C);
            u->touched[r] = 0;
        }
}

void update_apply(struct update *u, const struct team *team, unsigned member) {
    real room[LIMIT_WIDTH];
    size_t from, to;

    team_share(team, member, u->dense, &from, &to);
    apply_dense(u, from, to);
    if (u->rests)
        return;
    if (u->table) {
        table_share(u, team, member, &from, &to);
        apply_collected(u, from, to);
        return;
    }
    team_share(team, member, u->lookups.rows, &from, &to);
    for (size_t r = from; r < to; r++)
        apply_row(u, lookups_row(&u->lookups, r), lookups_grad(&u->lookups, r, room));
}

void update_skip(struct update *u) {
    size_t C = u->lookups.width;

    if (!u->table)
        return;
    for (size_t r = 0; r < u->list.table_entries / C; r++)
        if (u->touched[r]) {
            vec_zero(C, u->table + r * C);
            u->touched[r] = 0;
        }
}
