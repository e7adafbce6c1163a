/* ckpt_wide.h - the wide part of a model as tensors: FORMAT.md says every byte. ckpt/ only. */
#ifndef MODEL_CKPT_CKPT_WIDE_H
#define MODEL_CKPT_CKPT_WIDE_H

#include "model/ckpt/ckpt.h"
#include "model/ckpt/file/st_header.h"
#include "model/wide/wide.h"

#define CKPT_WIDE_TENSORS 8u
#define CKPT_WIDE_WEIGHT  "wide.weight"

/* The tensors of a shape, in byte order of their names. Those of no wide part: none. */
struct ckpt_wide_list {
    size_t n;
    struct st_tensor tensor[CKPT_WIDE_TENSORS]; /* begin is 0 */
};

/* i8: weights in 8 bits, with a scale for each column. */
void ckpt_wide_list_make(const struct wide_shape *s, bool i8, struct ckpt_wide_list *ret_list);

/* Are weights in 8 bits where the others are of this type? */
bool ckpt_wide_i8(enum ckpt_type rest);

/* The one of this name; NULL: there is none. */
const struct st_tensor *ckpt_wide_find(const struct ckpt_wide_list *l, const char *name);

/* Are all there, of their types and shapes? Errors: CORRUPT. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_wide_check(const struct ckpt_wide_list *l,
                                               const struct st_header *h, struct reason *why);

/* n bytes of a tensor, from byte `at` on, into w: whole numbers. */
void ckpt_wide_take(struct wide *w, const struct st_tensor *t, uint64_t at, const uint8_t *bytes,
                    size_t n);

/* All bytes are there: add up what was counted, and check it. Errors: CORRUPT. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_wide_end(struct wide *w, struct reason *why);

/* The bytes of a tensor of w; the caller frees them. NULL: out of memory. */
uint8_t *ckpt_wide_bytes(const struct wide *w, const struct st_tensor *t);

/* Weights as they come back; the caller frees ret->weight. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_wide_round(const struct wide *w, bool i8, struct wide *ret);

#endif
