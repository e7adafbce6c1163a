/* bench_texts.h - texts to measure with: the rows of a data set, or made of a vocabulary. */
#ifndef MODEL_TOOL_BENCH_BENCH_TEXTS_H
#define MODEL_TOOL_BENCH_BENCH_TEXTS_H

#include <stddef.h>

#include "model/text/tokenize.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define BENCH_TEXTS_BYTES (16u * 1024 * 1024) /* more of a data set is not read */

/* Text i is bytes[start[i]] .. bytes[start[i+1]-1]. */
struct bench_texts {
    char *bytes;
    size_t *start; /* (n+1) */
    size_t n;
};

/* The first rows of a test split. Errors: as dataset.h; BADDATA when there are none. */
DIFFUSE_MUST_CHECK diffuse_err bench_texts_read(const char *spec, struct bench_texts *ret_texts,
                                                struct reason *why);

/* A thousand texts of 45 pieces drawn from the vocabulary, always the same. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err bench_texts_make(const struct tokenizer *t,
                                                struct bench_texts *ret_texts);

void bench_texts_done(struct bench_texts *texts); /* fine with one of all zeroes */

#endif
