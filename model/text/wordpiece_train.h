/* wordpiece_train.h - a WordPiece vocabulary learned from a corpus.
 *
 * Texts are split into words as the wordpiece tokenizer splits them; their commonest neighbouring
 * pieces are joined until the vocabulary is full; pieces that greedy longest match then never picks
 * are left out for others, since a model could learn nothing about them.
 * Order in the vocabulary: [PAD] [UNK] [CLS] [SEP] [MASK]; single characters (every printable ASCII
 * one, so that no ASCII text is unknown, and the commonest others of the corpus); joined pieces,
 * commonest pair first. The same texts, in any order, give the same bytes, as long as the corpus
 * holds fewer distinct words than tally.h bounds.
 * Memory: that bound, and while building some 60 bytes a character of the distinct words; under
 * 100 MiB for 50,000 news items, under 1.2 GiB for any corpus.
 * Threads: one thread at a time.
 */
#ifndef MODEL_TEXT_WORDPIECE_TRAIN_H
#define MODEL_TEXT_WORDPIECE_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* Smallest vocabulary: specials, and ASCII at the start of a word and inside one. */
#define WORDPIECE_TRAIN_MIN 256u

struct wordpiece_train;

/* Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err wordpiece_train_new(struct wordpiece_train **ret_train);
void wordpiece_train_free(struct wordpiece_train *t); /* fine with NULL */

/* Count the words of a text. Errors: BADTEXT (not UTF-8; nothing is counted), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err wordpiece_train_add(struct wordpiece_train *t, const char *text,
                                                   size_t len);

/* The vocabulary as vocab.txt, at most size pieces, fewer when no pair is left that occurs
 * min_count times (2 is a good choice; 0 means 1). The caller frees *ret_vocab. More texts may be
 * added afterwards. Errors: INVAL (size outside WORDPIECE_TRAIN_MIN..LIMIT_VOCAB), EMPTY (no words
 * yet), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err wordpiece_train_build(const struct wordpiece_train *t, uint32_t size,
                                                     uint64_t min_count, uint8_t **ret_vocab,
                                                     size_t *ret_len, struct reason *why);

#endif
