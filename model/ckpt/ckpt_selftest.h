/* ckpt_selftest.h - logits that are stored with a checkpoint and must come out again.
 *
 * When a checkpoint is written, a few made-up token sequences (lengths 1 to 32, ids drawn by a
 * fixed seed over the whole vocabulary) go through the model, and ids and logits are stored in its
 * metadata, under the id's hash. Whoever loads it can prove that this machine, this build and these
 * weights give those logits. They are made with the weights as the file stores them, rounded to its
 * type, so that one tolerance fits all types, and a file that is read and written again is the same
 * file.
 */
#ifndef MODEL_CKPT_CKPT_SELFTEST_H
#define MODEL_CKPT_CKPT_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>

#include "model/ckpt/ckpt.h"
#include "model/engine/engine.h"

#define CKPT_SELFTEST_KEY    "selftest"
#define CKPT_SELFTEST_TOKENS 64u /* of all sequences together */
#define CKPT_SELFTEST_SEQS   4u

/* A logit may be off by this times 1 + the largest |logit| of its sequence. Other processors and
 * BLAS kernels sum in another order, which moves a float by some 1e-6; deep or bracketed models
 * enlarge that. A weight that is wrong by a part in a hundred moves more. */
#define CKPT_SELFTEST_TOLERANCE 1e-3

/* This in BF16, which keeps 8 bits of a mantissa. */
#define CKPT_SELFTEST_TOLERANCE_BF16 0.05

/* And this in int8, where each token is rounded to one part in 254 of its largest number. */
#define CKPT_SELFTEST_TOLERANCE_I8 0.1

/* Is there one in the file? */
bool ckpt_has_selftest(const struct ckpt *ckpt);

/* Run it: e was made of what was loaded from ckpt; scratch takes CKPT_SELFTEST_TOKENS tokens in
 * CKPT_SELFTEST_SEQS sequences or more. A file without one passes. Errors: CORRUPT (why: which
 * logit, what was stored, what came out, the tolerance), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_selftest(const struct ckpt *ckpt, const struct engine *e,
                                             struct engine_scratch *scratch, struct reason *why);

/* The text to store for m, written as types say; the caller frees it. Takes scratch for
 * CKPT_SELFTEST_TOKENS tokens and, of what is not F32, a copy; of the tables only the rows in use
 * are touched. Errors: INVAL (a logit is not finite), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_selftest_make(const struct model *m,
                                                  const struct ckpt_types *types, char **ret_text,
                                                  struct reason *why);

#endif
