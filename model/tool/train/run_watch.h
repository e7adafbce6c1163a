/* run_watch.h - what is looked at between two steps of a run that can go on later: SIGINT and
 * SIGTERM, whether it is time to save, how long it has taken, and the bar that shows it. */
#ifndef MODEL_TOOL_TRAIN_RUN_WATCH_H
#define MODEL_TOOL_TRAIN_RUN_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/tool/common/say.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct run_watch {
    int signals;         /* a descriptor that is readable once the run should stop; -1: not yet */
    uint64_t save_every; /* seconds */
    double spent;        /* of the running round, in processes before this one */
    double began, saved; /* monotonic seconds */
    struct say_progress progress;
    char title[32]; /* of the bar */
};

enum run_watch_order { RUN_WATCH_GO_ON, RUN_WATCH_SAVE, RUN_WATCH_STOP };

/* From here on the signals only show in run_watch_tick. Before any thread is started, so that they
 * all have them blocked. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err run_watch_init(struct run_watch *w, uint64_t save_every,
                                              struct reason *why);
void run_watch_done(struct run_watch *w); /* fine with signals -1 */

/* A round, that is an epoch or a pass, begins or goes on: "epoch 3". */
void run_watch_begin(struct run_watch *w, const char *what, uint32_t number, bool quiet);
enum run_watch_order run_watch_tick(struct run_watch *w, size_t done, size_t total,
                                    const char *extra);
bool run_watch_asked(const struct run_watch *w);     /* by a signal, to stop */
void run_watch_saved(struct run_watch *w);           /* it was saved just now */
double run_watch_seconds(const struct run_watch *w); /* of the round so far */
double
run_watch_end(struct run_watch *w); /* the round is over; what run_watch_seconds would give */

#endif
