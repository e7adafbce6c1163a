/* sweep_picture.h - sweep.svg: one key as lines, two as a map, more as a list from the best down.
 * Errors of the file are the caller's to see. */
#ifndef MODEL_TOOL_SWEEP_SWEEP_PICTURE_H
#define MODEL_TOOL_SWEEP_SWEEP_PICTURE_H

#include <stdio.h>

#include "model/tool/sweep/sweep_plan.h"

void sweep_picture_draw(FILE *f, const struct sweep_plan *p);

#endif
