/* ckpt_sample.h - small models, and checkpoint files made of any bytes, for the tests of
 * checkpoints. */
#ifndef TESTS_LIB_CKPT_SAMPLE_H
#define TESTS_LIB_CKPT_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "model/ckpt/model.h"

struct ckpt_sample {
    struct arena arena;
    struct model *model; /* in the arena; its fields may be changed */
};

/* A small configuration in the paper's form. */
void ckpt_sample_config(struct net_config *c);

/* A model of random weights. A word tokenizer gets a vocabulary of c->vocab pieces; kind -1: none.
 * Stops the program when memory runs out. */
void ckpt_sample_make(struct ckpt_sample *s, const struct net_config *c, int tokenizer_kind,
                      uint64_t seed);
void ckpt_sample_done(struct ckpt_sample *s);

/* A nameless file of these bytes: its descriptor, and the path it can be opened by. */
#define CKPT_SAMPLE_PATH 32
int ckpt_sample_file(const void *bytes, size_t n, char ret_path[CKPT_SAMPLE_PATH]);

/* A checkpoint again, its bytes after the header as they are now, with an id that matches them: as
 * somebody would make it who means to mislead. drop: a metadata key that goes, or NULL. The caller
 * frees it. */
uint8_t *ckpt_sample_sign(const uint8_t *file, size_t n, const char *drop, size_t *ret_n);

/* The whole of a file; the caller frees it. */
uint8_t *ckpt_sample_slurp(const char *path, size_t *ret_n);

#endif
