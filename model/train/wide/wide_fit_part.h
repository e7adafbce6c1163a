/* wide_fit_part.h - what the files of the fit share. wide_*.c only. */
#ifndef MODEL_TRAIN_WIDE_WIDE_FIT_PART_H
#define MODEL_TRAIN_WIDE_WIDE_FIT_PART_H

#include "model/train/wide/wide_fit.h"
#include "model/train/wide/wide_rows.h"
#include "model/train/wide/wide_solve.h"

#define WIDE_FIT_FOLDS_MOST 32u
#define WIDE_FIT_QUOTAS                                                                            \
    4u /* of a label's weights: tries, each twice the one before; the last: all */
#define WIDE_FIT_COSTS         5u  /* tried at most */
#define WIDE_FIT_WORK_ONE_FOLD 2e8 /* entries x columns; of more, the choice is made on so much */

struct wide_fit_choice {
    double beta;
    enum wide_norm norm;
};

/* Some of the rows to learn from, the others to judge. */
struct wide_fit_part {
    uint32_t *use; /* (n) rows of the data */
    size_t n;
    uint32_t *held; /* (n_held) places among the judged rows */
    size_t n_held;
    uint32_t *have; /* (features) rows of use that have each */
};

/* What a thread works in. */
struct wide_fit_hand {
    struct wide_solve solve;
    uint32_t *own;  /* (features) rows of the label that have each */
    uint32_t *bins; /* (WIDE_JOB_BINS) */
};

struct wide_fit_weight {
    uint32_t feature;
    float v;
};

enum wide_fit_purpose { WIDE_FIT_TRY, WIDE_FIT_JUDGE, WIDE_FIT_KEEP };

struct wide_fit_run {
    const struct wide_fit_options *o;
    struct team *team;
    struct wide_fit *out;
    struct wide_rows data;
    struct walk walk;
    uint32_t labels, columns;
    double work;                                    /* entries x columns */
    uint32_t *judged;                               /* (out->judged) rows of the data */
    float *scale, *judge;                           /* (rows) 1 / norm: to learn from; to judge */
    float *log_of;                                  /* (rows + 2) logarithms of 1 + n */
    struct wide_fit_part part[WIDE_FIT_FOLDS_MOST]; /* (folds) */
    struct wide_fit_part small, all;       /* of the first fold, what is tried on; of everything */
    struct wide_fit_hand *hand;            /* (team) */
    float *scores;                         /* (costs or quotas, judged, columns) */
    size_t quota[WIDE_FIT_QUOTAS], quotas; /* upwards */

    /* of the jobs at hand */
    enum wide_fit_purpose purpose;
    const struct wide_fit_part *parts;
    size_t n_parts, keep; /* a label's weights, of KEEP */
    struct wide_fit_choice choice;
    const double *costs;
    size_t n_costs;
    struct wide_fit_weight *kept; /* (columns, keep) */
    size_t *n_kept;               /* (columns) */
    float *bias;                  /* (columns) */
};

/* wide_job.c: all columns on n parts, shared by the threads. */
void wide_job_run(struct wide_fit_run *f, enum wide_fit_purpose purpose,
                  const struct wide_fit_part *parts, size_t n);
DIFFUSE_MUST_CHECK diffuse_err wide_job_make(struct wide_fit_run *f);
void wide_job_done(struct wide_fit_run *f);

/* wide_deal.c: the folds and their parts; 1 / norm of all rows. */
DIFFUSE_MUST_CHECK diffuse_err wide_deal_make(struct wide_fit_run *f);
void wide_deal_done(struct wide_fit_run *f);
void wide_deal_norm(struct wide_fit_run *f, enum wide_norm norm);

#endif
