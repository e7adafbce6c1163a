/* st_header.h - the header of a safetensors file: eight bytes of length, then JSON that says what
 * lies where. Everything is checked against the bytes that are there before anything is believed.
 */
#ifndef MODEL_CKPT_FILE_ST_HEADER_H
#define MODEL_CKPT_FILE_ST_HEADER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define ST_RANK_MAX 2u /* no tensor of a model has more dimensions */

/* Types of safetensors, and the bytes of a number. */
enum st_type { ST_U8, ST_F32, ST_F16, ST_BF16, ST_I8, ST_OTHER };

struct st_tensor {
    const char *name;  /* borrowed from the header */
    const char *dtype; /* as in the file, borrowed */
    enum st_type type;
    uint32_t rank;
    uint64_t shape[ST_RANK_MAX];
    uint64_t begin, bytes; /* from the start of the data */
};

struct st_header {
    json_t *root;
    const json_t *metadata; /* object of strings; NULL: the file has none */
    uint64_t data_start;    /* bytes from the start of the file */
    size_t n;
    struct st_tensor *tensor; /* (n) owned, in byte order of the names */
};

/* Read and check the header of an open file of file_bytes. Tensors fill the data exactly: no
 * overlap, no hole, nothing after the last. Errors: CORRUPT, IO, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err st_header_read(int fd, uint64_t file_bytes,
                                              struct st_header *ret_header, struct reason *why);

/* Give the memory back. Fine with a zeroed header. */
void st_header_done(struct st_header *h);

/* NULL when there is no tensor of that name. */
const struct st_tensor *st_header_find(const struct st_header *h, const char *name);

#define ST_SHAPE_BYTES 48u

/* "30522x256", "256", or "scalar". */
void st_header_shape(const struct st_tensor *t, char ret_text[ST_SHAPE_BYTES]);

/* Exactly n bytes from offset on. Errors: CORRUPT (the file ends before), IO. */
DIFFUSE_MUST_CHECK diffuse_err st_header_pread(int fd, void *buffer, size_t n, uint64_t offset,
                                               struct reason *why);

#endif
