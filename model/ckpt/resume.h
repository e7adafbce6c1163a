/* resume.h - where a training run stands, in a file that survives the process.
 *
 * A safetensors file: named runs of float32 numbers and, in the metadata, a text of the caller's
 * (JSON) and the SHA-256 of both. Written atomically: after kill -9 or a power cut the file is the
 * one before or the whole new one.
 */
#ifndef MODEL_CKPT_RESUME_H
#define MODEL_CKPT_RESUME_H

#include <stddef.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define RESUME_PARTS_MAX 16u

struct resume_part {
    const char *name; /* unique */
    float *numbers;   /* (count) borrowed */
    size_t count;
};

/* Errors: IO (the system's reason; a file that was there is untouched), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err resume_write(const char *path, const char *text,
                                            const struct resume_part *part, size_t n,
                                            struct reason *why);

/* The text alone, to see whose run it is: the caller frees. Errors: NOTFOUND, IO, CORRUPT, NOMEM.
 */
DIFFUSE_MUST_CHECK diffuse_err resume_peek(const char *path, char **ret_text, struct reason *why);

/* Fill the parts; names and counts must be those of the file. Errors: NOTFOUND, IO, CORRUPT (a
 * part is missing or has another size, or the bytes are not those that were written), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err resume_read(const char *path, const struct resume_part *part,
                                           size_t n, struct reason *why);

#endif
