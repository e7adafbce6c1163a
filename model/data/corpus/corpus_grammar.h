/* corpus_grammar.h - turns a pattern of corpus_table.h into text. */
#ifndef MODEL_DATA_CORPUS_CORPUS_GRAMMAR_H
#define MODEL_DATA_CORPUS_CORPUS_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

#include "model/base/rng.h"

#define CORPUS_GRAMMAR_DEPTH 12u /* of nesting; a test expands every pattern */

/* A slot with one value for the whole row, such as the robot that speaks. */
struct corpus_pin {
    const char *name;
    const char *pattern;
};

struct corpus_scope {
    struct rng *rng;
    bool held; /* draw from the held-out values too */
    const struct corpus_pin *pins;
    size_t n_pins;
};

struct corpus_text {
    char *bytes; /* borrowed */
    size_t cap;
    size_t len;
};

/* Append the text of pattern to out. A blank at the start or after a blank is left out, so that an
 * empty piece leaves no gap. What does not fit in cap is left out; no pattern comes near. */
void corpus_grammar_expand(const struct corpus_scope *scope, const char *pattern,
                           struct corpus_text *out);

/* NULL, or where pattern is wrong: an open or stray bracket, or a name that is neither a slot nor
 * one of the n pins. For tests over the tables. */
const char *corpus_grammar_fault(const char *pattern, const struct corpus_pin *pins, size_t n);

#endif
