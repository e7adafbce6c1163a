/* trust.h - whose feedback is to be believed.
 *
 * A stream's trust is the chance that it agrees with the model where that is sure: Beta-Bernoulli,
 * older evidence fading. A stream that contradicts a sure model most of the time is distrusted; it
 * wins trust back by agreeing again. Where the model is not sure (new words, rare labels) nothing
 * is counted, so teaching costs no trust; 30 % of labels at random do not cost it either, every
 * label wrong does, after six such rows from a new stream. A change of what labels mean looks the
 * same as an attack: that needs training, not tuning.
 *
 * A bounded table; beyond it the stream heard least recently is forgotten. Threads: one at a time.
 */
#ifndef MODEL_TUNE_TRUST_H
#define MODEL_TUNE_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "proto/limits.h"

#define TRUST_SURE  0.8  /* confidence from which a contradiction counts */
#define TRUST_LOST  0.4  /* below: distrusted, */
#define TRUST_WON   0.6  /* until above */
#define TRUST_FADE  0.98 /* of older evidence with each new one: the last fifty count */
#define TRUST_PRIOR 4.0  /* agreements that a new stream starts with, and one contradiction */

struct trust_stream {
    char name[LIMIT_STREAM_BYTES + 1];
    size_t len;
    uint64_t owner;                       /* a number of its own, never used again */
    uint64_t heard;                       /* when, in rows */
    uint64_t feedback, agreed, contested; /* rows; the last two where the model was sure */
    double agree, contradict;             /* faded evidence */
    bool distrusted;
};

struct trust {
    struct trust_stream *stream; /* (cap) */
    size_t n, cap;
    uint64_t rows, owners;
};

size_t trust_bytes(size_t cap); /* arena bytes of trust_init; cap 1 or more */
DIFFUSE_MUST_CHECK diffuse_err trust_init(struct trust *t, struct arena *arena, size_t cap);
void trust_clear(struct trust *t); /* all streams; numbers are not used again */

/* Feedback from a stream: agrees with what the model said at that confidence or not. *ret_lost:
 * this cost the trust. Borrowed until the next call. */
const struct trust_stream *trust_hear(struct trust *t, const char *name, size_t len, bool agrees,
                                      double confidence, bool *ret_lost);

double trust_of(const struct trust_stream *s); /* 0..1 */

/* Share of the feedback of streams that are believed which contradicts a sure model, 0..1: about
 * how many of their labels are wrong. 0 without evidence. */
double trust_doubt(const struct trust *t);

#endif
