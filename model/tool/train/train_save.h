/* train_save.h - the checkpoints of a training run, and the state from which it goes on.
 *
 *   best.safetensors     the best epoch's weights so far (by validation rows; without them, the
 *                        last's), until the run is finished
 *   model.safetensors    the same at the end: whoever serves the file never sees an unfinished one
 *   last.safetensors     the last epoch's, where there are validation rows
 *   resume.safetensors   weights, moments, best weights and place, until the run is finished
 */
#ifndef MODEL_TOOL_TRAIN_TRAIN_SAVE_H
#define MODEL_TOOL_TRAIN_TRAIN_SAVE_H

#include "model/tool/train/train_run.h"

#define TRAIN_SAVE_BEST "best.safetensors"

/* block(list.entries) as DIR/name. Errors: as ckpt_write. */
DIFFUSE_MUST_CHECK diffuse_err train_save_model(struct train_run *r, const char *name, real *block);

/* Remove TRAIN_SAVE_BEST: the run is finished. */
void train_save_forget_best(const struct train_run *r);

/* Where the run stands, to DIR/resume.safetensors. Errors: as resume_write. */
DIFFUSE_MUST_CHECK diffuse_err train_save_state(struct train_run *r);

/* What the run is: options, rows and numbers, before what it finds out changes them. */
void train_save_identify(struct train_run *r);

/* Is there a run to go on with, and is it this one? Identified; before r->fit is made; *ret_pieces
 * is what it needs to know (fit.h). Errors: as resume_peek; INVAL, naming what differs from the
 * saved run. */
DIFFUSE_MUST_CHECK diffuse_err train_save_look(struct train_run *r, bool *ret_found,
                                               size_t *ret_pieces);

/* Go on from there. Errors: as resume_read. */
DIFFUSE_MUST_CHECK diffuse_err train_save_resume(struct train_run *r);

json_t *train_save_epoch_json(const struct fit_epoch *e); /* a new reference */

#endif
