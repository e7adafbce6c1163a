/* train_report.h - report.svg: the curves of a training run and where its labels were confused. */
#ifndef MODEL_TOOL_TRAIN_REPORT_H
#define MODEL_TOOL_TRAIN_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "model/train/fit.h"

struct train_report {
    const char *title;
    const struct fit_epoch *epoch; /* (epochs) */
    uint32_t epochs;
    const char *const *labels; /* (n_labels) */
    uint32_t n_labels;
    const size_t *confusion; /* (n_labels, n_labels) true row, given column; NULL: not drawn */
};

/* The whole picture. Errors of f are the caller's to see. */
void train_report_draw(FILE *f, const struct train_report *r);

#endif
