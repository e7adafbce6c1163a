/* listops.h - nested list expressions with a value, in Long Range Arena's distribution.
 *
 *   [MAX 2 9 [MIN 4 7 X 0 X        value 9
 *
 * The root has depth 1. Above the deepest level a node is an operator with probability 0.25, else a
 * digit, uniform; at the deepest level always a digit. Operators, uniform: MIN, MAX, MED (the
 * median cut to a whole number), SM (sum modulo 10), with 2 to max_args arguments, uniform. A digit
 * has length 1, an operator 2 more than its arguments. Trees outside (min_length, max_length) are
 * thrown away, and so are repetitions. Source: Nangia and Bowman, "ListOps", 2018, with the
 * parameters of Tay et al., "Long Range Arena", 2020.
 */
#ifndef MODEL_DATA_CORPUS_LISTOPS_H
#define MODEL_DATA_CORPUS_LISTOPS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define LISTOPS_DEPTH_MAX  64u
#define LISTOPS_ARGS_MAX   64u
#define LISTOPS_LENGTH_MAX 65536u

struct listops_options {
    uint64_t seed;
    uint32_t depth;                  /* Long Range Arena: 10 */
    uint32_t max_args;               /* 10 */
    uint32_t min_length, max_length; /* kept when min < length < max: 500, 2000 */
};

struct listops_row {
    uint32_t value;   /* 0..9 */
    const char *text; /* NUL-terminated, symbols apart by one space; borrowed until the next call */
    size_t length;    /* as above */
    uint32_t operators;
};

struct listops; /* a generator; belongs to one thread */

void listops_options_lra(struct listops_options *o); /* Long Range Arena's, seed 1 */

/* Errors: INVAL, naming the option and its range; NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err listops_open(const struct listops_options *o,
                                            struct listops **ret_listops, struct reason *why);
void listops_close(struct listops *l); /* fine with NULL */

/* The next expression, unlike all before. Errors: NOMEM; INVAL when the options leave no more
 * expressions to find. */
DIFFUSE_MUST_CHECK diffuse_err listops_next(struct listops *l, struct listops_row *ret_row,
                                            struct reason *why);

uint64_t listops_tried(const struct listops *l); /* trees made so far, kept or not */

#endif
