/* wide_solve.h - one label against the rest, by dual coordinate descent (Hsieh et al., "A dual
 * coordinate descent method for large-scale linear SVM", 2008):
 *
 *   minimise  1/2 (sum_f v_f^2 / g_f + b^2)  +  C sum_i max(0, 1 - y_i s_i)^2,
 *   s_i = (sum_f count_if v_f) / norm_i + b
 *
 * Threads: a struct wide_solve belongs to one thread; what it borrows is constant.
 */
#ifndef MODEL_TRAIN_WIDE_WIDE_SOLVE_H
#define MODEL_TRAIN_WIDE_WIDE_SOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "model/train/wide/wide_rows.h"

struct wide_solve {
    const struct wide_rows *data; /* borrowed */
    const float *scale;           /* (rows) 1 / norm_i, borrowed */
    size_t n;
    const uint32_t *use; /* (n) rows to learn from, borrowed */
    uint32_t features;
    float *g;        /* (features) written before solving */
    float *v;        /* (features) the result */
    double b;        /* the result */
    float *alpha;    /* (rows) dual variables */
    float *square;   /* (n) */
    uint32_t *order; /* (n) places of use */
    int8_t *y;       /* (n) */
};

/* Room for up to n rows. Errors: NOMEM; done with wide_solve_done all the same. */
DIFFUSE_MUST_CHECK diffuse_err wide_solve_init(struct wide_solve *s, const struct wide_rows *data,
                                               const float *scale);
void wide_solve_done(struct wide_solve *s);

/* Start anew with these rows: v and the dual variables are 0. */
void wide_solve_begin(struct wide_solve *s, const uint32_t *use, size_t n, uint32_t label);

/* Go on from where v is, for a cost: until no coordinate's gradient is farther than tolerance from
 * what the optimum has, or after so many passes. Returns the passes. */
unsigned wide_solve_run(struct wide_solve *s, double cost, double tolerance, unsigned passes,
                        uint64_t seed);

/* What v is worth, and the least that any v can be worth: equal at the optimum. */
void wide_solve_gap(const struct wide_solve *s, double cost, double *ret_primal, double *ret_dual);

/* The sum over f in s_i, of any row of the data. */
double wide_solve_sum(const struct wide_solve *s, uint32_t row);

#endif
