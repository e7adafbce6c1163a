/* sweep_result.h - what a finished training run left behind: its numbers, and whether it was the
 * run that is wanted. */
#ifndef MODEL_TOOL_SWEEP_SWEEP_RESULT_H
#define MODEL_TOOL_SWEEP_SWEEP_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* Was the run in DIR asked for with these options? It is sweep.json that says so: config.json has
 * what the trainer made of options that were left open. strict: how it runs counts as well
 * (threads). Errors: NOTFOUND (no sweep.json), CORRUPT, INVAL (another run; the reason says what
 * differs). */
DIFFUSE_MUST_CHECK diffuse_err sweep_result_same(const char *dir, const json_t *wanted, bool strict,
                                                 struct reason *why);

/* Put the options that a run is asked for with into DIR/sweep.json. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err sweep_result_ask(const char *dir, const json_t *wanted,
                                                struct reason *why);

/* Epochs that the run in DIR means to make, by its config.json; 0: it does not say yet. */
uint64_t sweep_result_epochs(const char *dir);

#endif
