/* metrics.h - how good a classifier is: what it confused, and whether its confidences can be
 * believed. Fed a row at a time.
 *
 * Memory: counts are kept for the pairs (true label, label given) that occurred, 8 bytes each in a
 * table at most half full: 16 KB to begin with, 16 to 32 bytes a pair after that, whatever the
 * number of rows. A dense table of 4096 labels would take 64 MB for every thread.
 *
 * Threads: one thread at a time. Several threads fill one each; merged in a fixed order they give
 * the same bits every time.
 */
#ifndef MODEL_TRAIN_EVAL_QUALITY_H
#define MODEL_TRAIN_EVAL_QUALITY_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "proto/diffuse_err.h"

#define QUALITY_BINS 15u

/* Rows whose confidence is in (b/15, (b+1)/15]. */
struct quality_bin {
    uint64_t rows, hits;
    double confidence; /* sum */
};

/* What is measured of the confidences softmax(logits / temperature). */
struct quality_scale {
    double temperature;
    double loss; /* sum of the cross-entropies; not finite where a true label's logit was not */
    struct quality_bin bin[QUALITY_BINS];
};

struct quality {
    uint32_t labels;
    uint64_t rows, hits;
    struct quality_scale raw;    /* at temperature 1 */
    struct quality_scale scaled; /* at the temperature given */
    uint64_t *slot;              /* (slots) owned: pair and its count; 0 where empty */
    size_t slots, used;
};

/* 1 to 4096 labels, temperature > 0. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err quality_init(struct quality *m, uint32_t labels, double temperature);
void quality_done(struct quality *m); /* fine with a zeroed one */

/* One row: logits(labels), which are not changed, and its true label. Logits that are not all
 * finite count as label 0 with the confidence 1/labels, as a daemon answers them. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err quality_add(struct quality *m, const real *logits, uint32_t truth);

/* Add what from has seen, of as many labels and at the same temperature. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err quality_merge(struct quality *m, const struct quality *from);

/* Rows of label truth that were given label given. */
uint64_t quality_count(const struct quality *m, uint32_t truth, uint32_t given);

double quality_accuracy(const struct quality *m); /* 0 without rows, as the next two */
double quality_loss(const struct quality *m, const struct quality_scale *s); /* mean, in nats */

/* Expected calibration error (Guo et al., 2017): the mean over the rows of how far the accuracy of
 * their bin is from its mean confidence; 0 to 1. */
double quality_ece(const struct quality *m, const struct quality_scale *s);

#define QUALITY_NONE UINT32_MAX

/* One label. A ratio over nothing is 0, as in scikit-learn. */
struct quality_class {
    uint64_t support; /* rows of it */
    uint64_t given;   /* rows that were given it */
    uint64_t hits;    /* both */
    double precision, recall, f1;
    uint32_t mistaken; /* the other label that its rows were given most often, or QUALITY_NONE */
    uint64_t mistakes; /* how often */
};

void quality_classes(const struct quality *m, struct quality_class *ret_class /* (labels) */);

/* Mean F1 of the labels that occur, as true label or as a given one; 0 when none does. */
double quality_macro_f1(const struct quality_class *class, uint32_t labels);

/* order(labels): the labels that occur, lowest F1 first, of equal ones the one with more rows.
 * Returns their number. */
uint32_t quality_worst_first(const struct quality_class *class, uint32_t labels,
                             uint32_t *ret_order);

struct quality_pair {
    uint32_t truth, given;
    uint64_t rows;
};

/* The most frequent mistakes, at most max, the most frequent first. Returns their number. */
size_t quality_mistakes(const struct quality *m, struct quality_pair *ret_pair, size_t max);

#endif
