/* scorer.h - what a model says of single rows, in memory reserved beforehand. One thread. */
#ifndef MODEL_TUNE_SCORER_H
#define MODEL_TUNE_SCORER_H

#include "model/ckpt/model.h"
#include "model/net/net.h"
#include "model/tune/reservoir.h"

#define SCORER_ROWS 32u /* of one forward pass */

struct scorer_mark {
    bool right;
    real chance;
};

struct scorer {
    struct net_scratch *scratch;
    uint32_t max_length;
    size_t tokens;                   /* of one forward pass */
    uint32_t *ids;                   /* (tokens) */
    uint32_t start[SCORER_ROWS + 1]; /* row i is ids[start[i]] .. ids[start[i+1]-1] */
    real *logits;                    /* (SCORER_ROWS,labels) */
};

/* Arena bytes of scorer_init, for models of shape c, with as many labels or fewer. */
size_t scorer_bytes(const struct net_config *c, uint32_t max_length);
DIFFUSE_MUST_CHECK diffuse_err scorer_init(struct scorer *s, struct arena *arena,
                                           const struct net_config *c, uint32_t max_length);

/* The label of ids(n), cut at max_length, and how sure the model is (calibrated). */
uint32_t scorer_row(struct scorer *s, const struct model *m, const uint32_t *ids, uint32_t n,
                    double *ret_confidence);

uint32_t scorer_label(struct scorer *s, const struct net_config *c, const struct net_weights *w,
                      const uint32_t *ids, uint32_t n);

/* marks(rows): whether w gives each row of the reservoir its label, and what chance it gives that.
 */
void scorer_rows(struct scorer *s, const struct net_config *c, const struct net_weights *w,
                 real temperature, const struct reservoir *rows, struct scorer_mark *marks);

#endif
