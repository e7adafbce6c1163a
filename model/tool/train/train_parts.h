/* train_parts.h - the wide part of a run of `diffuse train`, and how it goes together with the deep
 * one (joint.h). */
#ifndef MODEL_TOOL_TRAIN_TRAIN_PARTS_H
#define MODEL_TOOL_TRAIN_TRAIN_PARTS_H

#include "model/tool/train/train_run.h"

/* Does this run make a wide part? */
bool train_parts_wanted(const struct train_run *r);

/* Before the deep part is trained: fits the wide part to the training rows, and finds on rows held
 * out how the two go together; r->joint has what came out. A deep part that adds nothing is made as
 * small as it can be. Errors: as joint_fit; STOPPING, when a signal asked for it. */
DIFFUSE_MUST_CHECK diffuse_err train_parts_choose(struct train_run *r,
                                                  const struct fit_options *fit);

/* The configuration and weights that both parts have together, over those of the deep part alone;
 * nothing, where there is no wide part. */
void train_parts_join(const struct train_run *r, struct net_config *c, struct net_weights *w);

/* The estimate on rows held out, for summary.json: a new reference; null without wide part. */
json_t *train_parts_json(const struct train_run *r);

#endif
