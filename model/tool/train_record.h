/* train_record.h - what a training run leaves in its folder beside the checkpoint: config.json,
 * training.log, epoch_results.csv, summary.json, report.svg. */
#ifndef MODEL_TOOL_TRAIN_RECORD_H
#define MODEL_TOOL_TRAIN_RECORD_H

#include <jansson.h>
#include <stdio.h>

#include "model/tool/train_options.h"
#include "model/train/fit.h"

struct train_record {
    const char *dir, *header; /* borrowed; of the CSV file */
    FILE *log, *csv;
    bool quiet;
};

/* Make the folder and open the files; go_on: behind the lines that are there, until
 * train_record_rewind. Errors: IO, naming the file. */
DIFFUSE_MUST_CHECK diffuse_err train_record_open(struct train_record *r, const char *dir,
                                                 bool quiet, bool go_on, struct reason *why);

/* The same with a CSV file of another name and header. */
DIFFUSE_MUST_CHECK diffuse_err train_record_open_csv(struct train_record *r, const char *dir,
                                                     bool quiet, bool go_on, const char *csv,
                                                     const char *header, struct reason *why);

/* Begin the CSV file anew. Errors: IO, naming the folder. */
DIFFUSE_MUST_CHECK diffuse_err train_record_rewind(struct train_record *r, struct reason *why);
void train_record_close(struct train_record *r); /* fine with a zeroed one */

/* A line to training.log and, unless quiet, to stderr. */
void train_record_line(struct train_record *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A row of epoch_results.csv, and a line of the log. seconds is the epoch's time. */
void train_record_row(struct train_record *r, const struct fit_epoch *e, double seconds);
void train_record_epoch(struct train_record *r, const struct fit_epoch *e, double seconds);

/* NAME of the record, made by draw(f, user). Errors: IO, naming the file. */
DIFFUSE_MUST_CHECK diffuse_err train_record_file(struct train_record *r, const char *name,
                                                 void (*draw)(FILE *f, const void *user),
                                                 const void *user, struct reason *why);

/* config.json: options, model, machine, version. */
DIFFUSE_MUST_CHECK diffuse_err train_record_config(struct train_record *r,
                                                   const struct train_options *o,
                                                   const struct net_config *c,
                                                   const struct fit_data *data, struct reason *why);

/* Writes a JSON file into the folder, the old one or the whole new one; takes the reference.
 * Errors: IO, naming the file. */
DIFFUSE_MUST_CHECK diffuse_err train_record_json(struct train_record *r, const char *name,
                                                 json_t *value_p, struct reason *why);

double train_record_resident_mb(void); /* largest resident size of this process so far */

#endif
