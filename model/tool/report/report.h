/* report.h - report.svg: a training run on one page. How loss and accuracy went and which
 * epoch was kept, a table of facts, which labels were taken for which, and whether the confidences
 * can be believed. Draws what it is given and computes nothing but places. */
#ifndef MODEL_TOOL_REPORT_REPORT_H
#define MODEL_TOOL_REPORT_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "model/train/eval/quality.h"
#include "model/train/fit.h"

/* "parameters", "1,234,567": names of up to some 20 characters, values of up to 20. */
struct train_fact {
    const char *name, *value;
};

struct report {
    const char *title;
    const char *subtitle;          /* NULL: none */
    const struct fit_epoch *epoch; /* (epochs) */
    uint32_t epochs;               /* 0: no curves */
    uint32_t best;                 /* the epoch that was kept, from 1; 0: none is marked */
    const struct train_fact *fact; /* (facts) */
    size_t facts;
    const char *const *labels; /* (n_labels) */
    uint32_t n_labels;
    const struct quality *metrics;     /* of the rows judged; NULL: no labels, no confidences */
    const struct quality_class *class; /* (n_labels) quality_classes of it */
    const char *judged;                /* which rows: "test" */
};

/* The whole picture. Errors of f are the caller's to see. */
void report_draw(FILE *f, const struct report *r);

#endif
