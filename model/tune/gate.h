/* gate.h - may a candidate replace what serves? Judged on rows held back from training, and on rows
 * that came while it rested, before they were trained on (prequential: test, then train).
 *
 * The test is McNemar's, exact and one-sided (paired.h). A candidate passes when
 *   1. on rehearsal it is not worse: no significant loss (5 %), and no more rows lost than won but
 *      for one and GATE_LOSS of them; and since the first model, all promotions together, one and
 *      GATE_LOSS_ALL (the one because a single row of a small sample says nothing);
 *   2. on feedback (GATE_LEAST rows or more) it gains: more rows won than lost, or as many, and the
 *      true labels get more of a chance. A gain need not be significant, for a few hundred rows
 *      would hardly ever show one of a point; what chance lets through is bounded by 1, and taken
 *      back by rollback_test.h. Where GATE_DOUBT of the labels look wrong (trust.h) it must be: by
 * chance in less than GATE_LEVEL of cases;
 *   3. and not for one stream alone: without the stream that it gains the most on, it does not
 *      lose (where other streams gave feedback at all).
 * Labels that are wrong at random cost both models the same rows, and so decide nothing.
 */
#ifndef MODEL_TUNE_GATE_H
#define MODEL_TUNE_GATE_H

#include <stdint.h>

#include "model/base/arena.h"
#include "model/tune/paired.h"

#define GATE_WORSE    0.05  /* level of "significantly worse" */
#define GATE_LOSS     0.005 /* share of the rehearsal rows */
#define GATE_LOSS_ALL 0.01
#define GATE_DOUBT    0.2
#define GATE_LEVEL    0.1
#define GATE_LEAST    10u /* rows of feedback to judge by */
#define GATE_TEXT     160u

struct gate_stream {
    uint64_t owner;
    struct paired score;
};

/* Feedback, and whom it came from. First: serves; second: the candidate. */
struct gate_heard {
    struct paired score;
    struct gate_stream *stream; /* (cap of the gate) */
    size_t streams;
};

struct gate {
    struct paired rehearsal;
    struct paired since;    /* rehearsal; first: the first model of all */
    struct gate_heard live; /* as it came */
    struct gate_heard all;  /* and what is held back */
    double surer;           /* chance that the candidate gives the labels held back, less what
                               the one that serves gives them, summed */
    double doubt;           /* share of the labels that look wrong */
    size_t cap;             /* streams told apart */
};

struct gate_verdict {
    bool passes;
    bool harms; /* it did damage: learning on from it makes no sense; else it may be too early */
    double p_worse;  /* the smaller of rehearsal's and feedback's */
    double p_better; /* of feedback */
    char text[GATE_TEXT];
};

/* Arena bytes of gate_init. */
size_t gate_bytes(size_t cap);
DIFFUSE_MUST_CHECK diffuse_err gate_init(struct gate *g, struct arena *arena, size_t cap);

/* A new candidate: what came is forgotten. Then each row as it comes. */
void gate_forget(struct gate *g);
void gate_live(struct gate *g, uint64_t owner, bool serving, bool candidate);

/* Rows held back, between begin and end. */
void gate_begin(struct gate *g, double doubt);
void gate_rehearsal(struct gate *g, bool first, bool serving, bool candidate);
void gate_feedback(struct gate *g, uint64_t owner, bool serving, bool candidate, double surer);
void gate_end(const struct gate *g, struct gate_verdict *ret_verdict);

#endif
