/* sweep_result.h - what a finished training run left behind: its numbers, and whether it was the
 * run that is wanted. */
#ifndef MODEL_TOOL_SWEEP_RESULT_H
#define MODEL_TOOL_SWEEP_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* Of the checkpoint that was kept, unless it says final: after the last epoch. */
enum sweep_field {
    SWEEP_EPOCH,
    SWEEP_VALID, /* accuracies and F1 from 0 to 1 */
    SWEEP_TEST,
    SWEEP_FINAL_VALID,
    SWEEP_FINAL_TEST,
    SWEEP_VALID_F1,
    SWEEP_TEST_F1,
    SWEEP_SECONDS,
    SWEEP_SPEED,
    SWEEP_PEAK_MB,
    SWEEP_PARAMETERS,
    SWEEP_BYTES,
    SWEEP_FIELDS
};

struct sweep_result {
    double value[SWEEP_FIELDS]; /* NAN: the run does not say */
};

const char *sweep_result_column(enum sweep_field field); /* "valid_accuracy" */

/* Every field NAN. */
void sweep_result_clear(struct sweep_result *ret_result);

/* DIR/summary.json. Errors: NOTFOUND (there is none: the run did not finish), CORRUPT, IO. */
DIFFUSE_MUST_CHECK diffuse_err sweep_result_read(const char *dir, struct sweep_result *ret_result,
                                                 struct reason *why);

/* Was the run in DIR made with these options? wanted: as train_options_json gives them; strict: how
 * it ran counts as well (threads). Options that config.json does not name do not count. Errors:
 * NOTFOUND (no config.json), CORRUPT, INVAL (another run; the reason says what differs). */
DIFFUSE_MUST_CHECK diffuse_err sweep_result_same(const char *dir, const json_t *wanted, bool strict,
                                                 struct reason *why);

#endif
