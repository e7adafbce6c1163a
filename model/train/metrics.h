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
#ifndef MODEL_TRAIN_METRICS_H
#define MODEL_TRAIN_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/real.h"
#include "proto/diffuse_err.h"

#define METRICS_BINS 15u

/* Rows whose confidence is in (b/15, (b+1)/15]. */
struct metrics_bin {
    uint64_t rows, hits;
    double confidence; /* sum */
};

/* What is measured of the confidences softmax(logits / temperature). */
struct metrics_scale {
    double temperature;
    double loss; /* sum of the cross-entropies; not finite where a true label's logit was not */
    struct metrics_bin bin[METRICS_BINS];
};

struct metrics {
    uint32_t labels;
    uint64_t rows, hits;
    struct metrics_scale raw;    /* at temperature 1 */
    struct metrics_scale scaled; /* at the temperature given */
    uint64_t *slot;              /* (slots) owned: pair and its count; 0 where empty */
    size_t slots, used;
};

/* 1 to 4096 labels, temperature > 0. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err metrics_init(struct metrics *m, uint32_t labels, double temperature);
void metrics_done(struct metrics *m); /* fine with a zeroed one */

/* One row: logits(labels), which are not changed, and its true label. Logits that are not all
 * finite count as label 0 with the confidence 1/labels, as a daemon answers them. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err metrics_add(struct metrics *m, const real *logits, uint32_t truth);

/* Add what from has seen, of as many labels and at the same temperature. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err metrics_merge(struct metrics *m, const struct metrics *from);

/* Rows of label truth that were given label given. */
uint64_t metrics_count(const struct metrics *m, uint32_t truth, uint32_t given);

double metrics_accuracy(const struct metrics *m); /* 0 without rows, as the next two */
double metrics_loss(const struct metrics *m, const struct metrics_scale *s); /* mean, in nats */

/* Expected calibration error (Guo et al., 2017): the mean over the rows of how far the accuracy of
 * their bin is from its mean confidence; 0 to 1. */
double metrics_ece(const struct metrics *m, const struct metrics_scale *s);

#define METRICS_NONE UINT32_MAX

/* One label. A ratio over nothing is 0, as in scikit-learn. */
struct metrics_class {
    uint64_t support; /* rows of it */
    uint64_t given;   /* rows that were given it */
    uint64_t hits;    /* both */
    double precision, recall, f1;
    uint32_t mistaken; /* the other label that its rows were given most often, or METRICS_NONE */
    uint64_t mistakes; /* how often */
};

void metrics_classes(const struct metrics *m, struct metrics_class *ret_class /* (labels) */);

/* Mean F1 of the labels that occur, as true label or as a given one; 0 when none does. */
double metrics_macro_f1(const struct metrics_class *class, uint32_t labels);

/* order(labels): the labels that occur, lowest F1 first, of equal ones the one with more rows.
 * Returns their number. */
uint32_t metrics_worst_first(const struct metrics_class *class, uint32_t labels,
                             uint32_t *ret_order);

struct metrics_pair {
    uint32_t truth, given;
    uint64_t rows;
};

/* The most frequent mistakes, at most max, the most frequent first. Returns their number. */
size_t metrics_mistakes(const struct metrics *m, struct metrics_pair *ret_pair, size_t max);

#endif
