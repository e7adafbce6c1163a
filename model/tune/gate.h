/* gate.h - may a candidate replace what serves? Judged on rows held back from training.
 *
 * The test is McNemar's, exact and one-sided (paired.h). A candidate passes when
 *   1. on rehearsal it is not worse: no significant loss (5 %), and no more rows lost than won but
 *      for GATE_LOSS of them; and since the first model, all promotions together, no more than
 *      GATE_LOSS_ALL;
 *   2. on feedback it is better: more rows won than lost, and that would come by chance in less
 *      than GATE_LEVEL of cases;
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
#define GATE_LEVEL    0.1   /* level of "better" */
#define GATE_LOSS     0.005 /* share of the rehearsal rows */
#define GATE_LOSS_ALL 0.01
#define GATE_LEAST    10u /* rows of feedback to judge by */
#define GATE_TEXT     160u

struct gate_stream {
    uint64_t owner;
    struct paired score;
};

struct gate {
    struct paired rehearsal, feedback; /* first: serves; second: the candidate */
    struct paired since;               /* rehearsal; first: the first model of all */
    struct gate_stream *stream;        /* (cap) that gave feedback which is held back */
    size_t streams, cap;
};

struct gate_verdict {
    bool passes;
    double p_worse;  /* the smaller of rehearsal's and feedback's */
    double p_better; /* of feedback */
    char text[GATE_TEXT];
};

size_t
gate_bytes(size_t cap); /* arena bytes of gate_init: cap streams, or rows if those are fewer */
DIFFUSE_MUST_CHECK diffuse_err gate_init(struct gate *g, struct arena *arena, size_t cap);

void gate_begin(struct gate *g);
void gate_rehearsal(struct gate *g, bool first, bool serving, bool candidate);
void gate_feedback(struct gate *g, uint64_t owner, bool serving, bool candidate);
void gate_end(const struct gate *g, struct gate_verdict *ret_verdict);

#endif
