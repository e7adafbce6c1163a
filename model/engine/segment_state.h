/* segment_state.h - what a segment remembers, and where it lies in its memory. engine/ only.
 *
 * "Column" is a token's state. A column before step t is known when every token that it depends on
 * is there.
 */
#ifndef MODEL_NET_SEGMENT_STATE_H
#define MODEL_NET_SEGMENT_STATE_H

#include "model/engine/segment.h"

struct segment {
    uint64_t n;                           /* tokens */
    uint32_t last[LIMIT_NGRAM_ORDER - 1]; /* the latest of them, newest last: n-grams reach back */
    /* state of the wide part, sum and top of the pool, then the windows of steps 0.., each at a
     * multiple of ARENA_ALIGN */
};

/* Columns before step t (t = steps: after the last) that are known when there are n tokens. */
uint64_t segment_state_known(const struct net_config *c, uint64_t n, uint32_t t);

/* Of the wide part; without one, NULL. */
struct wide_state *segment_state_wide(const struct net_config *c, struct segment *s);

/* Running pool over the known columns after the last step: (C) each; only those the pool needs. */
double *segment_state_sum(const struct net_config *c, struct segment *s);
real *segment_state_top(const struct net_config *c, struct segment *s);

/* (2 o_t, C) column j before step t, for the last 2 o_t known ones, is row j modulo 2 o_t. */
real *segment_state_window(const struct net_config *c, struct segment *s, uint32_t t);

/* Take n columns, `stride` from one to the next, which follow the known ones before step t, into
 * its window. */
void segment_state_keep(const struct net_config *c, struct segment *s, uint32_t t, uint64_t known,
                        const real *columns, size_t stride, size_t n);

bool segment_state_has_sum(const struct net_config *c);
bool segment_state_has_top(const struct net_config *c);

/* sum(C) += rows of x, `stride` from one to the next; top(C) = the largest, by channel, of the rows
 * and, unless fresh, of itself. */
void segment_state_add(size_t n, size_t C, const real *x, size_t stride, double *sum);
void segment_state_raise(size_t n, size_t C, const real *x, size_t stride, bool fresh, real *top);

#endif
