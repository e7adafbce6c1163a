/* ckpt_bare.h - what the shapes of a bare PyTorch export, and the caller's hints, say about the
 * model. */
#ifndef MODEL_CKPT_CKPT_BARE_H
#define MODEL_CKPT_CKPT_BARE_H

#include "model/ckpt/ckpt.h"
#include "model/ckpt/ckpt_meta.h"
#include "model/ckpt/file/st_header.h"

/* hints may be NULL. *ret_vocab (with vocab_path) is malloced, the caller frees it; else NULL.
 * Errors: CORRUPT (not the paper's tensors), INVAL (a hint that does not fit), NOTFOUND and IO
 * (hinted files). */
DIFFUSE_MUST_CHECK diffuse_err ckpt_bare_meta(const struct st_header *h,
                                              const struct ckpt_hints *hints,
                                              struct ckpt_meta *ret_meta, uint8_t **ret_vocab,
                                              size_t *ret_vocab_len, struct reason *why);

#endif
