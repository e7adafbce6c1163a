/* tune.h - a serving model learns from feedback: replay, candidate, gate.
 *
 * A candidate starts as a copy of the model that serves, and is trained on a bounded,
 * class-balanced replay buffer: feedback mixed with a rehearsal sample of what the model was
 * trained on, so that old classes are not forgotten. A part of all rows is held back and never
 * trained on; the candidate may replace what serves only by the rules of gate.h: McNemar's test on
 * rehearsal, and a gain on feedback that no single stream carries.
 *
 * Pure: no threads, no clock, no sockets; files are for journal.h and lineage.h. Memory is reserved
 * by tune_new; later only a new label makes it exchange the trainer for another, within
 * tune_bytes. Threads: one at a time; the models may be read by others meanwhile. Same seed, same
 * calls: same bits.
 */
#ifndef MODEL_TUNE_TUNE_H
#define MODEL_TUNE_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/ckpt/model.h"
#include "model/tune/journal/feedback_row.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

enum tune_parts {
    TUNE_HEAD,  /* the classifier */
    TUNE_NORMS, /* and the LayerNorms */
    TUNE_BODY,  /* and the steps: all but the tables */
    TUNE_ALL    /* and the tables: three times their memory */
};

struct tune_options {
    enum tune_parts parts;
    size_t rows;         /* of feedback held for training, */
    size_t held;         /* held back for the gate, */
    size_t rehearsal;    /* and rows of rehearsal at most; a fifth of them is held back */
    size_t max_length;   /* tokens of a row; longer ones are cut */
    size_t streams;      /* whose trust is followed; beyond that the least recent is forgotten */
    uint32_t new_labels; /* that feedback may add to the model's; 0: none */
    uint32_t batch;      /* rows of a step */
    double lr;           /* of head, norms and body */
    double table_lr;
    double pull; /* weight of the distance to the parent's weights (L2-SP, Li et al. 2018) when 64
                    rows of feedback were news: wrong and not sure before. It falls with the
                    square of their number; where feedback contradicts what the model is sure of,
                    they count less, down to a quarter */
    uint32_t every; /* new rows that a candidate waits for; 1 or more */
    double visits;  /* rows of training that each new row pays for, replay included */
    double replay;  /* share of them that is rehearsal, 0..1 */
    double dropout, embed_dropout, word_dropout, label_smoothing; /* in training: step.h */
    uint64_t seed;
};

/* What measured best (docs/results/tuning/choices.md). */
void tune_options_init(struct tune_options *ret_options);

struct tune; /* all of it */

/* Bytes that tune_new takes for a model of this shape. */
size_t tune_bytes(const struct net_config *c, const struct tune_options *o);

/* serving is borrowed until tune_rebase or tune_free. Errors: NOMEM, INVAL (an option). */
DIFFUSE_MUST_CHECK diffuse_err tune_new(const struct model *serving, const struct tune_options *o,
                                        struct tune **ret_tune, struct reason *why);
void tune_free(struct tune *t); /* fine with NULL */

/* A row of rehearsal (ids valid for serving). Rows beyond the room replace others at random. */
void tune_rehearse(struct tune *t, const uint32_t *ids, uint32_t n, uint32_t label);

/* A label that the serving model lacks: its id from now on (labels of serving, and those added, by
 * name). Errors: NOTFOUND, no more may be added (new_labels), or the name is not allowed. */
DIFFUSE_MUST_CHECK diffuse_err tune_label(struct tune *t, const char *name, uint32_t *ret_label);

enum tune_place {
    TUNE_TRAINS,    /* it may be trained on */
    TUNE_HELD,      /* it is held back for the gate */
    TUNE_DISTRUSTED /* its stream contradicts the model where that is sure: neither */
};

struct tune_note {
    enum tune_place place;
    bool drift; /* the error rate of what serves has changed (drift.h) */
    bool hurt;  /* since the last promotion the model before it does significantly better on live
                   feedback (paired.h): it should be rolled back */
    bool distrusted_now; /* this row was the one that cost its stream the trust */
};

/* Test, then train: the row, of a label that tune_label gave an id, is first scored against what
 * serves, then kept. The place depends on stream, seq, ids and trust only, so that rows heard again
 * after a restart land where they were. */
struct tune_note tune_hear(struct tune *t, const struct feedback_row *row);

/* One training step of the candidate: tens of milliseconds at most. False: there is nothing to
 * learn from yet, or the candidate has seen what there is often enough.
 *
 * A candidate's life: it begins from what serves when `every` new rows are there, and its learning
 * rate falls to nothing as it has seen them; then it is ripe, until it is judged. It may be judged
 * before, but is best then. One that is ripe and does not pass is given up: the next begins anew,
 * when there are as many new rows again. */
bool tune_step(struct tune *t);
bool tune_ripe(const struct tune *t);

struct tune_judgement {
    size_t rows;      /* held back, of feedback and rehearsal */
    size_t serving;   /* of them right by the model that serves, */
    size_t candidate; /* and by the candidate */
    double p_worse;   /* chance of so many losses or more, were both as good: on rehearsal or on
                         feedback, the smaller */
    double p_better;  /* of so many wins or more, on feedback */
    bool passes;
    char verdict[160]; /* in words */
};

/* Score both on the rows held back. */
void tune_judge(struct tune *t, struct tune_judgement *ret);

/* The candidate as a model that ckpt_write takes: parent is the id of what serves, provenance says
 * what it learned from. Borrowed until the next call. */
DIFFUSE_MUST_CHECK diffuse_err tune_candidate(struct tune *t, struct model **ret_model,
                                              struct reason *why);

/* What serves has changed: a promotion (previous: the one before, scored in its shadow from now on
 * until it is clear whether the promotion hurt), a rollback, or a reload of another checkpoint with
 * the same vocabulary and labels (previous NULL). Buffers stay; the candidate starts anew from
 * serving. Both are borrowed. Errors: INVAL: vocabulary, labels or shape differ, make a new one. */
DIFFUSE_MUST_CHECK diffuse_err tune_rebase(struct tune *t, const struct model *serving,
                                           const struct model *previous, struct reason *why);

/* Forget rows of feedback, trust and candidate; rehearsal stays. */
void tune_reset(struct tune *t);

struct tune_stream {
    char name[LIMIT_STREAM_BYTES + 1];
    uint64_t feedback, agreed, contested;
    double trust;
    bool distrusted;
};

struct tune_report {
    size_t rows_train, rows_held, rows_rehearsal, rows_new; /* new: since the last tune_rebase */
    uint64_t steps;
    double recent; /* accuracy of what served on the latest judged feedback; 0 without */
    size_t recent_rows;
    size_t streams;
};
void tune_report(const struct tune *t, struct tune_report *ret);

/* Up to n streams that gave feedback, least trusted first; how many there are. */
size_t tune_streams(const struct tune *t, struct tune_stream *ret, size_t n);

#endif
