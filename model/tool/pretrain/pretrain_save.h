/* pretrain_save.h - the state from which a run of `diffuse pretrain` goes on,
 * DIR/resume.safetensors: weights, the objective's parameters, their moments, and the place. There
 * until the run is finished. */
#ifndef MODEL_TOOL_PRETRAIN_PRETRAIN_SAVE_H
#define MODEL_TOOL_PRETRAIN_PRETRAIN_SAVE_H

#include "model/tool/pretrain/pretrain_run.h"

/* Where the run stands. Errors: as resume_write. */
DIFFUSE_MUST_CHECK diffuse_err pretrain_save_state(struct pretrain_run *r);

/* Go on from there, once r->fit is made; *ret_found false: there is nothing to go on with. Errors:
 * as resume_read; INVAL, naming what differs from the saved run. */
DIFFUSE_MUST_CHECK diffuse_err pretrain_save_resume(struct pretrain_run *r, bool *ret_found);

#endif
