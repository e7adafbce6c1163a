/* train_tables.h - per_class.csv and confusion.csv: what a model made of its labels, for a
 * spreadsheet or a script. RFC 4180, but for line ends, which are \n; UTF-8. Errors of the file are
 * the caller's to see. */
#ifndef MODEL_TOOL_REPORT_TRAIN_TABLES_H
#define MODEL_TOOL_REPORT_TRAIN_TABLES_H

#include <stdio.h>

#include "model/train/eval/quality.h"

/* label,support,given,hits,precision,recall,f1,mistaken_for,mistakes: a line a label, in order of
 * their ids; mistaken_for is empty for a label without a mistake. */
void train_tables_classes(FILE *f, const char *const *labels, const struct quality_class *class,
                          uint32_t n_labels);

/* A square: true label down, label given across, counts of rows. 4096 labels take 33 MB. */
void train_tables_confusion(FILE *f, const char *const *labels, const struct quality *m);

#endif
