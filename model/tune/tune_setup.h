/* tune_setup.h - options of tuning: are they sound, and what they mean for the trainer. tune/ only.
 */
#ifndef MODEL_TUNE_TUNE_SETUP_H
#define MODEL_TUNE_TUNE_SETUP_H

#include "model/tune/candidate.h"
#include "model/tune/tune.h"

/* Errors: INVAL, the reason naming the option. */
DIFFUSE_MUST_CHECK diffuse_err tune_setup_check(const struct model *m, const struct tune_options *o,
                                                struct reason *why);

struct candidate_options tune_setup_candidate(const struct tune_options *o);
const char *tune_setup_parts(enum tune_parts parts); /* "head", "norms", "body", "all" */

#endif
