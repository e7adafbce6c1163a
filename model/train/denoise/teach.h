/* teach.h - learning from another encoder: tell the vector that it gives a text.
 *
 * With p the mean of the last states of a text and t the encoder's vector of it:
 *
 *   y = proj p + bias,   loss = 1 - cos(y, t)
 *
 * (knowledge distillation of sentence encoders: Reimers and Gurevych, 2020.) The mean of a text's
 * states comes to hold what the encoder knows of it, and few labelled rows then suffice.
 *
 * The vectors come from a file of NumPy's format, version 1, of 16-bit floats (n,D): row i belongs
 * to row i of the texts. It is mapped, not read: more than fits in memory is fine.
 *
 * Shapes: C width, D numbers of a vector, B sequences and N tokens of a chunk.
 * Threads: everything may run on any number at once.
 */
#ifndef MODEL_TRAIN_DENOISE_TEACH_H
#define MODEL_TRAIN_DENOISE_TEACH_H

#include "model/net/net.h"
#include "proto/reason.h"

#define TEACH_WIDTH_MAX 4096u /* D */

struct teach_vectors {
    const uint16_t *at; /* (n,D) in map */
    size_t n;
    uint32_t width; /* D; 0: there are none */
    void *map;
    size_t map_bytes;
};

/* Errors: IO; BADDATA where the file is none of these. */
DIFFUSE_MUST_CHECK diffuse_err teach_vectors_open(const char *path,
                                                  struct teach_vectors *ret_vectors,
                                                  struct reason *why);
void teach_vectors_close(struct teach_vectors *v); /* fine with a zeroed one */

/* The objective's own parameters, in one block; gradients have the same shape. */
struct teach_tensors {
    real *proj; /* (D,C) */
    real *bias; /* (D) */
};
size_t teach_entries(uint32_t vectors, uint32_t width); /* of the block; vectors: D */
struct teach_tensors teach_point(uint32_t vectors, uint32_t width, real *block);
void teach_start(uint32_t vectors, uint32_t width, struct rng *rng, real *block);

/* What one thread works in. */
struct teach_scratch {
    real *mean;   /* (B,C) p */
    real *slope;  /* (B,C) gradients at p */
    real *told;   /* (B,D) y, and its gradients */
    real *target; /* (D) */
};
size_t teach_scratch_bytes(uint32_t vectors, uint32_t width, size_t max_rows);
DIFFUSE_MUST_CHECK diffuse_err teach_scratch_new(struct arena *arena, uint32_t vectors,
                                                 uint32_t width, size_t max_rows,
                                                 struct teach_scratch *ret_scratch);

/* Sum of the cosines of a chunk whose states are h(N,C); row[b]: which vector is that of sequence
 * b. dh not NULL: adds scale times the gradients of the loss to dh(N,C) and to `to`. */
double teach_learn(const struct teach_vectors *v, const struct teach_tensors *own,
                   const struct net_batch *chunk, const size_t *row, uint32_t width, double scale,
                   struct teach_scratch *s, const real *h, real *dh,
                   const struct teach_tensors *to);

#endif
