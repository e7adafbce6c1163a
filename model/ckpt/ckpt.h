/* ckpt.h - checkpoints on disk: safetensors with our own metadata (FORMAT.md says every byte).
 *
 * Reading goes in three steps, so that a caller can hold the sizes against a budget before a byte
 * of weights is read: ckpt_open checks header, shapes and types against the bytes that are there;
 * ckpt_model_bytes says what loading takes; ckpt_load reads into the caller's arena.
 */
#ifndef MODEL_CKPT_CKPT_H
#define MODEL_CKPT_CKPT_H

#include "model/base/arena.h"
#include "model/ckpt/model.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct ckpt; /* an open checkpoint file */

/* I8 is for matrices, with a scale a row; vectors stay F32 there. I4 is for the tables, all else
 * being as I8 has it. Tables of fewer than CKPT_NARROW_COLS columns are F16 in both: scales would
 * take more than they save. */
enum ckpt_type { CKPT_F32, CKPT_F16, CKPT_BF16, CKPT_I8, CKPT_I4 };

#define CKPT_NARROW_COLS 16u

/* What each part of a model is written as. */
struct ckpt_types {
    enum ckpt_type embed, ngram; /* the tables */
    enum ckpt_type rest;
};

/* How a model lies in memory. */
enum ckpt_form {
    CKPT_FULL, /* all in reals, in one block: to learn, to change, to write */
    CKPT_SERVE /* the tables as the file has them: a half or a quarter of the memory */
};

/* What a file without our metadata (a bare PyTorch export) leaves open; NULL or zero fields take
 * the paper's values. Ignored for files that carry our metadata. */
struct ckpt_hints {
    uint32_t steps;          /* 0: 4 */
    float alpha;             /* 0: 0.5 */
    const char *boundary;    /* NULL: "ring" */
    const char *vocab_path;  /* vocab.txt; NULL: token ids only */
    const char *labels_path; /* one name a line; NULL: "0", "1", ... */
};

/* Errors: NOTFOUND and IO (file), CORRUPT (reason: what was found, expected), UNSUPPORTED (dtype or
 * format_version of a later release), INVAL (a hint that does not fit the file), NOMEM. hints may
 * be NULL. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_open(const char *path, const struct ckpt_hints *hints,
                                         struct ckpt **ret_ckpt, struct reason *why);
void ckpt_close(struct ckpt *ckpt); /* fine with NULL */

const struct net_config *ckpt_config(const struct ckpt *ckpt);
size_t ckpt_model_bytes(const struct ckpt *ckpt, enum ckpt_form form); /* arena, of ckpt_load */
size_t ckpt_wide_part_bytes(const struct ckpt *ckpt); /* of them, of the wide part */
size_t ckpt_label_bytes(const struct ckpt *ckpt);     /* of all label names, with their NULs */
uint32_t ckpt_max_length(const struct ckpt *ckpt);    /* as model.max_length */
bool ckpt_stores_i8(const struct ckpt *ckpt);         /* a matrix of the steps, in 8 bits? */

/* All that ckpt_load finds wrong with the numbers, without keeping them: one pass over the file in
 * fixed memory, but for a wide part, which is kept until its parts are held against each other.
 * Fills the id of the content. Errors: CORRUPT (the id does not fit, a value is not finite), IO,
 * NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_verify(struct ckpt *ckpt, char ret_id[DIGEST_HEX_BYTES],
                                           struct reason *why);

/* Read everything, refuse values that are not finite, and check the id. On failure the arena is as
 * it was. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_load(struct ckpt *ckpt, enum ckpt_form form,
                                         struct arena *arena, struct model **ret_model,
                                         struct reason *why);

/* Open, reserve an arena of the right size, load in that form, close. The model lives in
 * *ret_arena. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_read(const char *path, const struct ckpt_hints *hints,
                                         enum ckpt_form form, struct arena *ret_arena,
                                         struct model **ret_model, struct reason *why);

/* Write m atomically (temp file beside path, fsync, rename, fsync of the folder), tensors as type
 * (the vocabulary stays U8). Fills m->id. Errors: IO with the system's reason, INVAL (the reader
 * would refuse it: a value that is not finite, a bad label), NOMEM; the old file is then untouched.
 */
DIFFUSE_MUST_CHECK diffuse_err ckpt_write(const char *path, struct model *m, enum ckpt_type type,
                                          struct reason *why);

/* The same, each part as its own type. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_write_mixed(const char *path, struct model *m,
                                                const struct ckpt_types *types, struct reason *why);

/* Types that keep the tables of w, which may only serve, as they are; the rest F32. */
struct ckpt_types ckpt_types_like(const struct net_weights *w);

/* May this be a label's name? 1 to LIMIT_LABEL_BYTES of UTF-8 without control characters. Ask
 * before training: ckpt_write refuses other names. Errors: INVAL. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_label_check(const char *name, struct reason *why);

/* One line a tensor and a metadata key, for `diffuse inspect`: text into the caller's FILE-free
 * sink. The value of a tensor is "DTYPE ROWSxCOLS BYTES", of a vector "DTYPE ROWS BYTES". A bare
 * export has the metadata that shapes and hints gave it, and format "bare". */
typedef void ckpt_sink(void *user, const char *name, const char *value);
void ckpt_describe(const struct ckpt *ckpt, ckpt_sink *metadata, ckpt_sink *tensor, void *user);

#endif
