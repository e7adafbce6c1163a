/* eval_print.h - what diffuse eval says of a model: lines for a person, or one JSON object. */
#ifndef MODEL_TOOL_REPORT_EVAL_PRINT_H
#define MODEL_TOOL_REPORT_EVAL_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "model/ckpt/model.h"
#include "model/train/eval/quality.h"

#define EVAL_PRINT_LABELS    20u  /* lines of the table, unless all are asked for */
#define EVAL_PRINT_CONFUSION 200u /* labels up to which the JSON object holds the matrix */

struct eval_print {
    const struct model *model;
    const struct quality *metrics;     /* at the model's temperature; one row or more */
    const struct quality_class *class; /* (labels) quality_classes of it */
    const uint32_t *worst;             /* (occurring) quality_worst_first of it */
    uint32_t occurring;
    bool all; /* every label, however many */
};

/* The last line is "accuracy 0.9123 n 7600". */
void eval_print_text(FILE *f, const struct eval_print *p);

/* {"accuracy", "macro_f1", "loss" and "ece_raw" (at temperature 1), "temperature",
 * "loss_calibrated" and "ece" (at that temperature), "n", "model", "per_class": [{"label",
 * "support", "given", "precision", "recall", "f1"}], "reliability": [{"rows", "confidence",
 * "accuracy"}] for each of the 15 bins that has rows, "confusion": [[rows]] true label by label
 * given, or null above 200 labels}. A number that is not finite is null. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err eval_print_json(FILE *f, const struct eval_print *p);

#endif
