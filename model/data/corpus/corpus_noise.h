/* corpus_noise.h - damages a line as typing, radio and log rotation do, not changing what it says.
 *
 * Typing mistakes spare digits and short words, only filler words get lost, and what is cut is the
 * end of a line: a person can still tell the label.
 */
#ifndef MODEL_DATA_CORPUS_CORPUS_NOISE_H
#define MODEL_DATA_CORPUS_CORPUS_NOISE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/base/rng.h"
#include "model/data/corpus/corpus_table.h"

struct corpus_line {
    char *bytes; /* UTF-8, borrowed */
    size_t cap;  /* room, for what is doubled */
    size_t len;
    size_t body_at, body_end; /* the part that carries the label; damage happens here */
    bool body_whole;          /* never cut into the body: its last word may turn the meaning */
};

/* Damage line, or leave it: most lines stay as they are. */
void corpus_noise_apply(struct rng *rng, enum corpus_noise_kind kind, struct corpus_line *line);

#endif
