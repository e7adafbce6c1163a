/* ckpt_id.h - the id of a checkpoint: SHA-256 over what it says and holds (FORMAT.md, "The id"). */
#ifndef MODEL_CKPT_CKPT_ID_H
#define MODEL_CKPT_CKPT_ID_H

#include <jansson.h>
#include <stdint.h>

#include "model/base/digest.h"
#include "model/ckpt/file/st_header.h"
#include "proto/diffuse_err.h"

/* Start a digest with the metadata: all pairs but the id itself, in byte order of the keys. NOMEM.
 */
DIFFUSE_MUST_CHECK diffuse_err ckpt_id_begin(struct digest *d, const json_t *strings);

/* A tensor's name, type and shape; the caller adds its bytes as stored after it. */
void ckpt_id_tensor(struct digest *d, const struct st_tensor *t);

#endif
