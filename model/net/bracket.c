#include "model/net/bracket.h"

#include <string.h>

#include "model/base/gemm.h"
#include "model/base/vec.h"
#include "model/net/norm.h"

#define MEMBER_SCALE                                                                               \
    ((real)0.3) /* of the members' sum, so that ten of them weigh as about three                   \
                 */

static real *reals(struct layout *l, size_t count) {
    return layout_room(l, count, sizeof(real));
}

void bracket_lay(struct layout *l, const struct net_config *c, size_t N, bool training,
                 struct bracket_acts *a) {
    size_t C = c->width, M = c->mlp_width;

    a->tree.parent = layout_room(l, N, sizeof *a->tree.parent);
    a->tree.height = layout_room(l, N, sizeof *a->tree.height);
    a->tree.order = layout_room(l, N, sizeof *a->tree.order);
    a->tree.level = layout_room(l, N + 2, sizeof *a->tree.level);
    a->seen = reals(l, N * C);
    a->xhat = reals(l, N * C);
    a->rstd = reals(l, N);
    a->sum = reals(l, N * C);
    a->self = reals(l, N * C);
    a->enclosing = reals(l, N * C);
    a->member = reals(l, N * C);
    a->s = reals(l, N * C);
    a->a = reals(l, N * M);
    a->g = reals(l, N * M);
    a->xhat2 = reals(l, N * C);
    a->rstd2 = reals(l, N);
    a->out = reals(l, N * C);
    a->shown = reals(l, N * C);
    if (training) {
        a->keep = layout_room(l, N * M, 1);
        a->dseen = reals(l, N * C);
        a->drow = reals(l, N * C);
        a->slope = reals(l, N * M);
    }
}

/* --- which token belongs where ------------------------------------------- */

static bool is_in(const uint32_t *ids, uint32_t n, uint32_t id) {
    for (uint32_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Parents and heights of one sequence; the innermost open group is the parent of what follows, so
 * the parents themselves are the stack. */
static void find_groups(const struct net_config *c, const uint32_t *ids, uint32_t from, uint32_t n,
                        struct bracket_tree *tree) {
    uint32_t open = BRACKET_NONE, *parent = tree->parent, *height = tree->height;

    for (uint32_t i = from; i < from + n; i++) {
        uint32_t id = ids[i - from];

        parent[i] = open;
        height[i] = 0;
        if (is_in(c->open, c->n_open, id)) {
            height[i] = 1;
            open = i;
        } else if (open != BRACKET_NONE && is_in(c->close, c->n_close, id)) {
            height[i] = BRACKET_NONE;
            open = parent[open];
        }
    }
    for (uint32_t i = from + n; i-- > from;) { /* members follow their opener */
        uint32_t p = parent[i];

        if (p != BRACKET_NONE && height[i] != BRACKET_NONE && height[p] <= height[i])
            height[p] = height[i] + 1;
    }
}

static bool opens(const struct bracket_tree *tree, uint32_t i) {
    return tree->height[i] != 0 && tree->height[i] != BRACKET_NONE;
}

/* Counting sort of the openers by height. */
static void sort_groups(struct bracket_tree *tree, uint32_t n) {
    uint32_t *level = tree->level;

    tree->levels = 0;
    for (uint32_t i = 0; i < n; i++)
        if (opens(tree, i) && tree->height[i] > tree->levels)
            tree->levels = tree->height[i];
    memset(level, 0, ((size_t)tree->levels + 2) * sizeof *level);
    for (uint32_t i = 0; i < n; i++)
        if (opens(tree, i))
            level[tree->height[i]]++;
    for (uint32_t k = 1; k <= tree->levels; k++) /* now the end of each height */
        level[k] += level[k - 1];
    tree->groups = level[tree->levels];
    for (uint32_t i = n; i-- > 0;) /* ends become starts */
        if (opens(tree, i))
            tree->order[--level[tree->height[i]]] = i;
    level[tree->levels + 1] = tree->groups;
}

void bracket_find(const struct net_config *c, const struct net_batch *batch,
                  struct bracket_tree *tree) {
    for (uint32_t b = 0; b < batch->n; b++)
        find_groups(c, batch->ids + batch->start[b], batch->start[b] - batch->start[0],
                    batch->start[b + 1] - batch->start[b], tree);
    sort_groups(tree, batch->start[batch->n] - batch->start[0]);
}

/* --- the sweep ----------------------------------------------------------- */

static size_t tokens(const struct net_batch *batch) {
    return batch->start[batch->n] - batch->start[0];
}

/* What token i shows its neighbours joins the sum of its group. */
static void join(const struct bracket_acts *acts, size_t C, uint32_t i) {
    uint32_t p = acts->tree.parent[i];
    const real *seen = acts->seen + (size_t)i * C;

    if (p == BRACKET_NONE)
        return;
    for (size_t j = 0; j < C; j++)
        acts->sum[(size_t)p * C + j] += MEMBER_SCALE * seen[j];
}

static void show_all(const struct net_config *c, const struct net_weights *w, size_t N,
                     struct bracket_acts *acts, const real *h) {
    size_t C = c->width;

    if (c->norm == NET_NORM_POST)
        vec_copy(N * C, h, acts->seen);
    else
        norm_forward(N, C, h, w->bracket_gain, w->bracket_bias, acts->xhat, acts->rstd, acts->seen);
    vec_zero(N * C, acts->sum);
    for (uint32_t i = 0; i < N; i++)
        if (acts->tree.height[i] == 0)
            join(acts, C, i);
}

/* Inputs of the groups order[from] .. order[to-1]. */
static void gather(size_t C, uint32_t from, uint32_t to, struct bracket_acts *acts) {
    for (uint32_t r = from; r < to; r++) {
        uint32_t i = acts->tree.order[r], p = acts->tree.parent[i];

        vec_copy(C, acts->seen + (size_t)i * C, acts->self + r * C);
        vec_copy(C, acts->sum + (size_t)i * C, acts->member + r * C);
        if (p != BRACKET_NONE)
            vec_copy(C, acts->seen + (size_t)p * C, acts->enclosing + r * C);
        else
            vec_zero(C, acts->enclosing + r * C);
    }
}

/* out = the update u of rows r0 .. r0+R. */
static void update(const struct net_config *c, const struct net_weights *w, size_t r0, size_t R,
                   struct bracket_acts *acts, struct net_noise *noise) {
    size_t C = c->width, M = c->mlp_width;
    real *s = acts->s + r0 * C, *a = acts->a + r0 * M, *g = acts->g + r0 * M,
         *out = acts->out + r0 * C;

    gemm_nt(R, C, C, acts->self + r0 * C, w->bracket_self, 0, s);
    gemm_nt(R, C, C, acts->enclosing + r0 * C, w->bracket_enclosing, 1, s);
    gemm_nt(R, C, C, acts->member + r0 * C, w->bracket_member, 1, s);
    gemm_nt(R, M, C, s, w->bracket_in, 0, a);
    vec_add_rows(R, M, w->bracket_in_bias, a);
    if (c->bracket_act == NET_ACT_SINE)
        vec_sine(R * M, a, g);
    else
        vec_gelu(R * M, a, g);
    if (noise)
        noise_drop(noise, noise->dropout, R * M, acts->keep + r0 * M, g);
    gemm_nt(R, C, M, g, w->bracket_out, 0, out);
    vec_add_rows(R, C, w->bracket_out_bias, out);
}

/* The groups' new states into h, and what they show from now on into seen. */
static void take(const struct net_config *c, const struct net_weights *w, uint32_t from,
                 uint32_t to, struct bracket_acts *acts, real *h) {
    size_t C = c->width, R = to - from;
    real *out = acts->out + from * C, *xhat2 = acts->xhat2 + from * C;

    for (uint32_t r = from; r < to; r++) {
        real *x = h + (size_t)acts->tree.order[r] * C;

        if (c->norm == NET_NORM_POST)
            vec_mix(C, (real)c->alpha, x, 1 - (real)c->alpha, acts->out + r * C);
        else
            vec_add(C, x, acts->out + r * C);
    }
    norm_forward(R, C, out, w->bracket_gain, w->bracket_bias, xhat2, acts->rstd2 + from,
                 acts->shown + from * C);
    for (uint32_t r = from; r < to; r++) {
        uint32_t i = acts->tree.order[r];

        vec_copy(C, (c->norm == NET_NORM_POST ? acts->shown : acts->out) + r * C,
                 h + (size_t)i * C);
        vec_copy(C, acts->shown + r * C, acts->seen + (size_t)i * C);
        join(acts, C, i);
    }
}

void bracket_forward(const struct net_config *c, const struct net_weights *w,
                     const struct net_batch *batch, struct bracket_acts *acts,
                     struct net_noise *noise, real *h) {
    const struct bracket_tree *tree = &acts->tree;

    bracket_find(c, batch, &acts->tree);
    show_all(c, w, tokens(batch), acts, h);
    for (uint32_t k = 1; k <= tree->levels; k++) {
        uint32_t from = tree->level[k], to = tree->level[k + 1];

        gather(c->width, from, to, acts);
        update(c, w, from, to - from, acts, noise);
        take(c, w, from, to, acts, h);
    }
}

/* --- the way back -------------------------------------------------------- */

/* drow = gradient of the new states of a level: from what came after, and from the group around. */
static void collect(const struct net_config *c, const struct net_weights *w, uint32_t from,
                    uint32_t to, struct bracket_acts *acts, struct net_weights *dw,
                    const real *dh) {
    size_t C = c->width, R = to - from;
    real *drow = acts->drow + from * C;
    bool post = c->norm == NET_NORM_POST;

    for (uint32_t r = from; r < to; r++) {
        uint32_t i = acts->tree.order[r], p = acts->tree.parent[i];
        real *d = acts->drow + r * C;

        if (p != BRACKET_NONE)
            vec_scaled(C, MEMBER_SCALE, acts->sum + (size_t)p * C, d);
        else
            vec_zero(C, d);
        if (post)
            vec_add(C, dh + (size_t)i * C, d);
    }
    norm_backward(R, C, drow, w->bracket_gain, acts->xhat2 + from * C, acts->rstd2 + from,
                  dw->bracket_gain, dw->bracket_bias);
    for (uint32_t r = from; !post && r < to; r++)
        vec_add(C, dh + (size_t)acts->tree.order[r] * C, acts->drow + r * C);
}

/* From du(R,C) to the gradients of the three inputs, left in self, enclosing and member. */
static void update_backward(const struct net_config *c, const struct net_weights *w, size_t r0,
                            size_t R, struct bracket_acts *acts, const struct net_noise *noise,
                            struct net_weights *dw, const real *du) {
    size_t C = c->width, M = c->mlp_width;
    real *s = acts->s + r0 * C, *g = acts->g + r0 * M, *slope = acts->slope + r0 * M;
    real *self = acts->self + r0 * C, *enclosing = acts->enclosing + r0 * C,
         *member = acts->member + r0 * C;

    if (c->bracket_act == NET_ACT_SINE)
        vec_sine_slope(R * M, acts->a + r0 * M, g, slope);
    else
        vec_gelu_slope(R * M, acts->a + r0 * M, g, slope);
    noise_drop_again(noise->dropout, R * M, acts->keep + r0 * M, g);
    noise_drop_again(noise->dropout, R * M, acts->keep + r0 * M, slope);
    gemm_tn(C, M, R, du, g, 1, dw->bracket_out);
    vec_sum_rows(R, C, du, dw->bracket_out_bias);
    gemm_nn(R, M, C, du, w->bracket_out, 0, g);
    vec_mul(R * M, slope, g);
    gemm_tn(M, C, R, g, s, 1, dw->bracket_in);
    vec_sum_rows(R, M, g, dw->bracket_in_bias);
    gemm_nn(R, C, M, g, w->bracket_in, 0, s);
    gemm_tn(C, C, R, s, self, 1, dw->bracket_self);
    gemm_tn(C, C, R, s, enclosing, 1, dw->bracket_enclosing);
    gemm_tn(C, C, R, s, member, 1, dw->bracket_member);
    gemm_nn(R, C, C, s, w->bracket_self, 0, self);
    gemm_nn(R, C, C, s, w->bracket_enclosing, 0, enclosing);
    gemm_nn(R, C, C, s, w->bracket_member, 0, member);
}

/* Hand the inputs' gradients on: to the states before the visit (dseen, dh), and to the sum. */
static void hand_back(const struct net_config *c, uint32_t from, uint32_t to,
                      struct bracket_acts *acts, real *dh) {
    size_t C = c->width;
    real kept = c->norm == NET_NORM_POST ? (real)c->alpha : 1;

    for (uint32_t r = from; r < to; r++) {
        uint32_t i = acts->tree.order[r], p = acts->tree.parent[i];

        vec_scaled(C, kept, acts->drow + r * C, dh + (size_t)i * C);
        vec_add(C, acts->self + r * C, acts->dseen + (size_t)i * C);
        vec_copy(C, acts->member + r * C, acts->sum + (size_t)i * C);
        if (p != BRACKET_NONE)
            vec_add(C, acts->enclosing + r * C, acts->dseen + (size_t)p * C);
    }
}

void bracket_backward(const struct net_config *c, const struct net_weights *w,
                      const struct net_batch *batch, struct bracket_acts *acts,
                      const struct net_noise *noise, struct net_weights *dw, real *dh) {
    const struct bracket_tree *tree = &acts->tree;
    size_t N = tokens(batch), C = c->width;

    vec_zero(N * C, acts->dseen);
    for (uint32_t k = tree->levels; k > 0; k--) {
        uint32_t from = tree->level[k], to = tree->level[k + 1];
        size_t R = to - from;
        real *du = acts->out + from * C; /* no longer needed */

        collect(c, w, from, to, acts, dw, dh);
        vec_scaled(R * C, c->norm == NET_NORM_POST ? 1 - (real)c->alpha : 1, acts->drow + from * C,
                   du);
        update_backward(c, w, from, R, acts, noise, dw, du);
        hand_back(c, from, to, acts, dh);
    }
    for (uint32_t i = 0; i < N; i++)
        if (tree->height[i] == 0 && tree->parent[i] != BRACKET_NONE)
            for (size_t j = 0; j < C; j++)
                acts->dseen[i * C + j] += MEMBER_SCALE * acts->sum[tree->parent[i] * C + j];
    if (c->norm != NET_NORM_POST)
        norm_backward(N, C, acts->dseen, w->bracket_gain, acts->xhat, acts->rstd, dw->bracket_gain,
                      dw->bracket_bias);
    vec_add(N * C, acts->dseen, dh);
}
