/* train_record.h - what a training run leaves in its folder beside the checkpoint: config.json,
 * training.log, epoch_results.csv, summary.json, report.svg. */
#ifndef MODEL_TOOL_TRAIN_TRAIN_RECORD_H
#define MODEL_TOOL_TRAIN_TRAIN_RECORD_H

#include <jansson.h>
#include <stdio.h>

#include "model/data/dataset.h"
#include "model/tool/train/train_options.h"
#include "model/train/fit.h"

struct train_record {
    const char *dir, *csv_name, *header; /* borrowed; header: of the CSV file */
    FILE *log, *csv;                     /* csv: once it has begun */
    bool quiet, go_on;
    bool made; /* the folder, for this run */
    int lock;
    char *held; /* the lines until train_record_begin, which log writes there */
    size_t held_len;
};

/* Make the folder, and keep other runs out of it until train_record_close. What lies there is not
 * touched before train_record_begin; a folder that was made and has nothing yet goes again. Errors:
 * IO, naming the file; BUSY: another run is there. */
DIFFUSE_MUST_CHECK diffuse_err train_record_open(struct train_record *r, const char *dir,
                                                 bool quiet, bool go_on, struct reason *why);

/* The same with a CSV file of another name and header. */
DIFFUSE_MUST_CHECK diffuse_err train_record_open_csv(struct train_record *r, const char *dir,
                                                     bool quiet, bool go_on, const char *csv,
                                                     const char *header, struct reason *why);

/* Open the files, and write what was said so far; go_on: behind the lines that are there, until
 * train_record_rewind. To be called when nothing is left that an option or the data could be wrong
 * with. Errors: IO, naming the file. */
DIFFUSE_MUST_CHECK diffuse_err train_record_begin(struct train_record *r, struct reason *why);

/* Begin the CSV file anew. Errors: IO, naming the folder. */
DIFFUSE_MUST_CHECK diffuse_err train_record_rewind(struct train_record *r, struct reason *why);
void train_record_close(struct train_record *r); /* fine with a zeroed one */

/* A line to training.log and, unless quiet, to stderr. */
void train_record_line(struct train_record *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for what was lost or looks wrong: to stderr also when quiet. */
void train_record_warn(struct train_record *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What was left out of a data set that was read, and what it looks like. */
void train_record_stats(struct train_record *r, const char *what,
                        const struct dataset_stats *stats);

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
