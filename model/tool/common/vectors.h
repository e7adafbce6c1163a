/* vectors.h - a table of word vectors as text, laid into the embeddings that pre-training starts
 * from. */
#ifndef MODEL_TOOL_COMMON_VECTORS_H
#define MODEL_TOOL_COMMON_VECTORS_H

#include "model/net/weights.h"
#include "model/text/tokenize.h"

/* Rows of w->embed whose piece is a word of the file at path get its vector in their first
 * channels; the rest of them, and other rows, stay as they are. One word a line, then its numbers,
 * apart by single spaces, as GloVe and word2vec write them; all lines have as many, width at most.
 * The vectors taken are scaled together so that their numbers have the root mean square std.
 * *ret_found: rows that were set. Errors: IO, BADDATA (naming file and line), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err vectors_load(const char *path, const struct tokenizer *t, double std,
                                            struct net_weights *w, uint32_t width,
                                            uint32_t *ret_found, struct reason *why);

#endif
