/* wide.h - the wide part of a model: a linear classifier of a text's words, pairs of words, and
 * letters within words (walk.h).
 *
 * Feature f has an importance idf_f, and for column k a weight; a text's score is
 *
 *   score_k = S_k / sqrt(Q) + bias_k,   S_k = sum of idf_f * w_fk,   Q = sum of idf_f^2
 *
 * over the occurrences of the features that are known (WIDE_NORM_NONE: without the root). Two
 * labels share one column, whose score is that of the second and, negated, of the first. The last
 * word of a growing text counts as complete whenever it is asked for.
 *
 * A column's weights are whole multiples of one step, 2^24 of which are above the largest of them,
 * and importances of idf_unit. So the sums are exact, up to 2^29 occurrences, in whatever order:
 * what a text is worth depends neither on the pieces that it came in nor on what a cache held.
 *
 * Lives in the caller's arena; nothing to free. Threads: constant while it serves; a state and a
 * cache belong to one thread.
 */
#ifndef MODEL_WIDE_WIDE_H
#define MODEL_WIDE_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "model/base/real.h"
#include "model/wide/walk.h"

#define WIDE_FEATURES (1u << 22) /* at most */
#define WIDE_ENTRIES  (1u << 26) /* at most */
#define WIDE_IDF_MOST 255u       /* largest code of an importance */

enum wide_norm { WIDE_NORM_LENGTH, WIDE_NORM_NONE };

/* Its shape: all that its memory, and that of states, depends on. All zero: there is no wide part.
 */
struct wide_shape {
    struct walk_form form;
    enum wide_norm norm;
    uint32_t labels;
    uint32_t features; /* that are known; 0: no wide part */
    uint32_t entries;  /* weights: features x columns when dense, else in lists */
    bool dense;
};

struct wide {
    struct wide_shape shape;
    struct walk walk;
    uint32_t shift;   /* of a key, to its bucket */
    uint32_t *start;  /* (buckets + 1) features of a bucket: by tag, upwards */
    uint32_t *tag;    /* (features) low half of the key */
    uint8_t *code;    /* (features) importance, in units of idf_unit; 1 or more */
    uint32_t *first;  /* (features + 1) where lists begin; NULL when dense */
    uint16_t *column; /* (entries) upwards in each list; NULL when dense */
    float *weight;    /* (entries) idf_f * w_fk; dense: (features, columns) */
    float *bias;      /* (columns) */
    float idf_unit;
    double *step; /* (columns) of the weights */
    uint64_t id;  /* of all that a word's features are worth; 0: it is not settled */
};

/* Words with what their own features are worth, by their pieces: wide_cache_bytes of the caller's
 * memory, all zero at first, and points nowhere. */
struct wide_cache;

struct wide_state; /* a text so far; wide_state_bytes of the caller's memory, and points nowhere */

/* "length", "none". The parser: NOTFOUND for any other name. */
const char *wide_norm_name(enum wide_norm n);
DIFFUSE_MUST_CHECK diffuse_err wide_norm_parse(const char *name, enum wide_norm *ret_norm);

/* Everything in range and consistent? Errors: INVAL, naming field and range. */
DIFFUSE_MUST_CHECK diffuse_err wide_shape_check(const struct wide_shape *s, struct reason *why);

/* The shape with more labels, as wide_grow makes it; none where there is no wide part. It may be
 * out of range: a dense one has a weight for each. */
struct wide_shape wide_shape_grown(const struct wide_shape *s, uint32_t labels);
bool wide_shape_same(const struct wide_shape *a, const struct wide_shape *b);

uint32_t wide_columns(const struct wide_shape *s);
uint32_t wide_buckets(const struct wide_shape *s); /* a power of two */

/* Bytes of wide_new. */
size_t wide_bytes(const struct wide_shape *s);

/* Room for a checked shape, zeroed: a reader or a solver fills it. tokenizer is borrowed; NULL
 * while there is none. NOMEM: arena full. */
DIFFUSE_MUST_CHECK diffuse_err wide_new(struct arena *arena, const struct wide_shape *s,
                                        const struct tokenizer *tokenizer, struct wide **ret_wide);

/* Bucket of a key; and its feature, or WIDE_NONE. */
#define WIDE_NONE UINT32_MAX
uint32_t wide_bucket(const struct wide *w, uint64_t key);
uint32_t wide_find(const struct wide *w, uint64_t key);

/* Bytes of a state: a multiple of ARENA_ALIGN, which it must be aligned to; 0 without wide part. */
size_t wide_state_bytes(const struct wide_shape *s);

/* A text without tokens. Returns memory. */
struct wide_state *wide_begin(const struct wide_shape *s, void *memory);

/* Bytes of a cache: a multiple of ARENA_ALIGN, which it must be aligned to. 0: none would help, for
 * there are too many columns, or there is no wide part. */
size_t wide_cache_bytes(const struct wide_shape *s);

/* The next tokens. Allocates nothing, cannot fail. cache: of the same shape, but of any wide part,
 * whose words it then forgets; NULL: none. */
void wide_advance(const struct wide *w, struct wide_state *s, const uint32_t *ids, size_t n,
                  struct wide_cache *cache);

/* logits(labels) = scores of the text so far + others * logits; others of 0: logits are not read.
 * room: another state's memory, or s itself, whose text then ends here. */
void wide_scores(const struct wide *w, const struct wide_state *s, void *room, real others,
                 real *logits);

/* Occurrences of features in the text so far, and how many of them were known; without its last
 * word. */
void wide_known(const struct wide_state *s, uint64_t *ret_features, uint64_t *ret_known);

/* The same of a whole text. room: a state's memory. */
void wide_text(const struct wide *w, const uint32_t *ids, size_t n, void *room,
               struct wide_cache *cache, real others, real *logits);

/* All of `from` into to, which was laid for from's shape grown to `labels` or more. Each label that
 * from lacks has no weights, and of every text the score that the least likely label has of an
 * empty one: it is low until another part of the model knows better. */
void wide_grow(const struct wide *from, uint32_t labels, struct wide *to);

/* All is filled in: round the weights to their steps, and give it its id. */
void wide_settle(struct wide *w);

/* Weights and bias times a factor, above 0; settled. Not while it serves. */
void wide_scale(struct wide *w, float factor);

#endif
