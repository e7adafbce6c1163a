/* linear_start.h - a model that starts as a linear classifier of its pieces and n-grams.
 *
 * Table row f (a piece, or a hashed n-gram) occurs c_if times in row i, of n_i tokens. For label k
 * against the rest a support vector machine with squared hinge is trained on
 *
 *   x_if = r_f c_if / n_i,    r_f = log ((N_kf + a N_k/N) / N_k)
 *                                 - log ((N_f - N_kf + a (1 - N_k/N)) / (N - N_k))
 *
 * where N_kf of the N_k rows with the label have f, N_f of all N (Wang and Manning, "Baselines and
 * bigrams", 2012), by dual coordinate descent (Hsieh et al., "A dual coordinate descent method for
 * large-scale linear SVM", 2008). Its weights, times r, are the scores of the table rows: their
 * mean over a text's tokens is the text's score. They are added to the tables along a direction of
 * label k: unit vector k where the width holds all labels, else a random one of length 1, or two
 * opposite ones. The classifier is set so that the logits follow the scores (exactly so for two
 * labels of width 2, or with a head of twice the width).
 */
#ifndef MODEL_TRAIN_LINEAR_START_H
#define MODEL_TRAIN_LINEAR_START_H

#include "model/net/net.h"
#include "model/train/rows/rows.h"

struct linear_start_options {
    double cost;      /* C of the support vector machine, for features of mean square length 1 */
    double smoothing; /* a, above 0: rows with everything that are thought of as seen too */
    unsigned passes;  /* over the rows, for each label */
    uint64_t seed;    /* of the order of rows and of random directions */
};

/* Rows of both tables, tables and classifier of w are written; states have to be the embeddings (no
 * step) for the scores to reach the pool unchanged. Memory: 24 bytes a table row,
 * 8 a row of the data; freed before it returns. Errors: NOMEM; IO; w is then partly written. */
DIFFUSE_MUST_CHECK diffuse_err linear_start(const struct net_config *c, struct net_weights *w,
                                            const struct rows *rows,
                                            const struct linear_start_options *o,
                                            struct reason *why);

#endif
