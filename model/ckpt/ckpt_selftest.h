/* ckpt_selftest.h - logits that are stored with a checkpoint and must come out again.
 *
 * When a checkpoint is written, a few made-up token sequences (lengths 1 to 32, ids drawn by a
 * fixed seed over the whole vocabulary) go through the model, and ids and logits are stored in its
 * metadata, under the id's hash. Whoever loads it can prove that this machine, this build and these
 * weights give those logits.
 */
#ifndef MODEL_CKPT_CKPT_SELFTEST_H
#define MODEL_CKPT_CKPT_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>

#include "model/ckpt/ckpt.h"
#include "model/net/net.h"

#define CKPT_SELFTEST_TOKENS 64u /* of all sequences together */
#define CKPT_SELFTEST_SEQS   4u

/* Is there one in the file? */
bool ckpt_has_selftest(const struct ckpt *ckpt);

/* Run it: m was loaded from ckpt; scratch takes CKPT_SELFTEST_TOKENS tokens in CKPT_SELFTEST_SEQS
 * sequences or more. A file without one passes. Errors: CORRUPT (why: which logit, what was stored,
 * what came out, the tolerance of the stored type), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_selftest(const struct ckpt *ckpt, const struct model *m,
                                             struct net_scratch *scratch, struct reason *why);

#endif
