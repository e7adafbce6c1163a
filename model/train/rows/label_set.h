/* label_set.h - label names and their ids, as a data set brings them. */
#ifndef MODEL_TRAIN_ROWS_LABEL_SET_H
#define MODEL_TRAIN_ROWS_LABEL_SET_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

struct label_set {
    char **names; /* (n) owned */
    uint32_t n, cap;
};

void label_set_done(struct label_set *s); /* {0} is an empty set */

/* Id of a name; NOTFOUND. */
DIFFUSE_MUST_CHECK diffuse_err label_set_find(const struct label_set *s, const char *name,
                                              uint32_t *ret_id);

/* Id of a name, added when it is new. Errors: NOMEM, TOOBIG (LIMIT_LABELS). */
DIFFUSE_MUST_CHECK diffuse_err label_set_add(struct label_set *s, const char *name,
                                             uint32_t *ret_id);

/* Order by bytes, so that ids do not depend on the order of the rows. */
void label_set_sort(struct label_set *s);

/* Pairs of names that a reader would take for one: they differ in case, in spaces of any kind, in
 * characters without a shape, in how a letter and its marks are written, or in marks of punctuation
 * at an end. *ret_a and *ret_b are the first. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err label_set_alike(const struct label_set *s, size_t *ret_pairs,
                                               uint32_t *ret_a, uint32_t *ret_b);

#endif
