#include "model/engine/segment_state.h"

#include <string.h>

#include "model/base/vec.h"

bool segment_state_has_sum(const struct net_config *c) {
    return c->pool != NET_POOL_MAX;
}

bool segment_state_has_top(const struct net_config *c) {
    return c->pool == NET_POOL_MAX || c->pool == NET_POOL_MEAN_MAX;
}

diffuse_err segment_check(const struct net_config *c, struct reason *why) {
    if (c->n_open)
        return reason_set(
            why, DIFFUSE_UNSUPPORTED,
            "the model has brackets, whose groups take in the whole text; a text that "
            "grows needs a model without: send whole texts");
    if (c->pool == NET_POOL_ROOTS)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "the model pools \"roots\", which belongs to bracketed text; a text that "
                          "grows needs mean, max or mean_max: send whole texts");
    if (c->boundary == NET_BOUNDARY_RING && c->steps > 0)
        return reason_set(
            why, DIFFUSE_UNSUPPORTED,
            "the model's boundary is \"ring\": the last token neighbours the first, so "
            "each new one changes both ends; a text that grows needs \"zero\": send "
            "whole texts");
    return DIFFUSE_OK;
}

/* --- layout -------------------------------------------------------------- */

static size_t wide_at(void) {
    return arena_block(sizeof(struct segment));
}

static size_t sum_at(const struct net_config *c) {
    return wide_at() + wide_state_bytes(&c->wide);
}

static size_t top_at(const struct net_config *c) {
    return sum_at(c) + (segment_state_has_sum(c) ? arena_block(c->width * sizeof(double)) : 0);
}

static size_t windows_at(const struct net_config *c) {
    return top_at(c) + (segment_state_has_top(c) ? arena_block(c->width * sizeof(real)) : 0);
}

static size_t window_rows(const struct net_config *c, uint32_t t) {
    return 2 * (size_t)c->offsets[t];
}

/* The windows lie end to end: their sizes add up before they are rounded. */
static size_t window_at(const struct net_config *c, uint32_t t) {
    size_t rows = 0;

    for (uint32_t r = 0; r < t; r++)
        rows += window_rows(c, r);
    return windows_at(c) + rows * c->width * sizeof(real);
}

size_t segment_bytes(const struct net_config *c) {
    size_t windows = windows_at(c);

    return windows + arena_block(window_at(c, c->steps) - windows);
}

static void *at(struct segment *s, size_t offset) {
    return (char *)s + offset;
}

struct wide_state *segment_state_wide(const struct net_config *c, struct segment *s) {
    return net_config_has_wide(c) ? at(s, wide_at()) : NULL;
}

double *segment_state_sum(const struct net_config *c, struct segment *s) {
    return segment_state_has_sum(c) ? at(s, sum_at(c)) : NULL;
}

real *segment_state_top(const struct net_config *c, struct segment *s) {
    return segment_state_has_top(c) ? at(s, top_at(c)) : NULL;
}

real *segment_state_window(const struct net_config *c, struct segment *s, uint32_t t) {
    return at(s, window_at(c, t));
}

/* --- use ----------------------------------------------------------------- */

struct segment *segment_begin(const struct net_config *c, void *memory) {
    struct segment *s = memory;

    memset(s, 0, sizeof *s);
    if (segment_state_has_sum(c))
        memset(segment_state_sum(c, s), 0, c->width * sizeof(double));
    if (net_config_has_wide(c))
        (void)wide_begin(&c->wide, segment_state_wide(c, s));
    return s;
}

uint64_t segment_tokens(const struct segment *s) {
    return s->n;
}

uint64_t segment_state_known(const struct net_config *c, uint64_t n, uint32_t t) {
    uint64_t reach = 0;

    for (uint32_t r = 0; r < t; r++)
        reach += c->offsets[r];
    return n > reach ? n - reach : 0;
}

void segment_state_keep(const struct net_config *c, struct segment *s, uint32_t t, uint64_t known,
                        const real *columns, size_t stride, size_t n) {
    size_t rows = window_rows(c, t), C = c->width;
    real *window = segment_state_window(c, s, t);

    for (size_t k = n > rows ? n - rows : 0; k < n; k++)
        vec_copy(C, columns + k * stride, window + (size_t)((known + k) % rows) * C);
}

VEC_CLONES void segment_state_add(size_t n, size_t C, const real *restrict x, size_t stride,
                                  double *restrict sum) {
    for (size_t i = 0; i < n; i++, x += stride)
        for (size_t j = 0; j < C; j++)
            sum[j] += (double)x[j];
}

VEC_CLONES void segment_state_raise(size_t n, size_t C, const real *restrict x, size_t stride,
                                    bool fresh, real *restrict top) {
    if (fresh && n > 0)
        vec_copy(C, x, top);
    for (size_t i = 0; i < n; i++, x += stride)
        for (size_t j = 0; j < C; j++)
            top[j] = x[j] > top[j] ? x[j] : top[j];
}
