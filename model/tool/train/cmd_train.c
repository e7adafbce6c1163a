/* cmd_train.c - diffuse train: rows in, checkpoint and records out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/base/gemm.h"
#include "model/tool/common/commands.h"
#include "model/tool/common/say.h"
#include "model/tool/train/state_file.h"
#include "model/tool/train/train_data.h"
#include "model/tool/train/train_finish.h"
#include "model/tool/train/train_memory.h"
#include "model/tool/train/train_parts.h"
#include "model/tool/train/train_save.h"
#include "model/train/linear_start.h"

#define REHEARSAL_BYTES (64u * 1024)

#define LINEAR_SMOOTHING 2 /* rows; one of each of two labels */

static void run_done(struct train_run *r) {
    train_record_close(&r->record);
    fit_free(r->fit);
    joint_done(&r->model.joint);
    team_free(r->team);
    rehearse_done(&r->model.rehearse);
    free(r->best);
    free(r->epochs);
    json_decref(r->identity);
    free(r->seconds);
    rows_done(&r->data.all);
    rows_done(&r->data.train);
    rows_done(&r->data.valid);
    rows_done(&r->data.test);
    label_set_done(&r->data.labels);
    train_init_done(&r->data.init);
    arena_done(&r->model.net_arena);
    arena_done(&r->data.text_arena);
    run_watch_done(&r->watch);
}

/* The weights of --init over the random ones. */
static void start_from(struct train_run *r) {
    if (!r->data.init.model)
        return;
    if (train_init_weights(&r->data.init, &r->data.labels, &r->model.config, r->model.weights))
        train_record_line(&r->record, "all weights are from %s", r->o.init);
    else
        train_record_line(&r->record, "weights are from %s, the classifier is new", r->o.init);
}

/* The linear classifier of the rows, on top of the weights there are. */
static diffuse_err start_linear(struct train_run *r) {
    const struct linear_start_options o = {.cost = r->o.linear_start,
                                           .smoothing = LINEAR_SMOOTHING,
                                           .passes = (unsigned)r->o.linear_passes,
                                           .seed = r->o.seed};
    double began = say_now();
    diffuse_err e;

    if (!(r->o.linear_start > 0))
        return DIFFUSE_OK;
    e = linear_start(&r->model.config, r->model.weights, &r->data.train, &o, &r->why);
    r->watch.spent = say_now() - began; /* counts as the first epoch's */
    if (!e)
        train_record_line(&r->record, "starts as a linear classifier of the rows  %.1f s",
                          r->watch.spent);
    return e;
}

static diffuse_err make_weights(struct train_run *r) {
    struct rng rng;
    diffuse_err e;

    r->model.config.vocab = tokenizer_vocab_size(r->data.tokenizer);
    r->model.config.labels = r->data.labels.n;
    if ((e = train_options_brackets(&r->o, r->data.tokenizer, &r->model.config, &r->why)) ||
        (e = train_init_config(&r->data.init, &r->o, &r->model.config, &r->why)) ||
        (e = net_config_check(&r->model.config, &r->why)) ||
        (e = arena_init(&r->model.net_arena, weights_bytes(&r->model.config))) ||
        (e = weights_new(&r->model.net_arena, &r->model.config, &r->model.weights)))
        return e;
    weights_list_make(&r->model.config, &r->model.list);
    rng_init(&rng, r->o.seed, 0x1217);
    weights_init(r->model.weights, &r->model.config, r->o.init_std, &rng);
    weights_scale_updates(r->model.weights, &r->model.config, r->o.update_init);
    start_from(r);
    r->epochs = calloc(r->o.epochs, sizeof *r->epochs);
    r->seconds = calloc(r->o.epochs, sizeof *r->seconds);
    if (r->data.valid.n)
        r->best = calloc(r->model.list.entries, sizeof *r->best);
    return r->epochs && r->seconds && (r->best || !r->data.valid.n) ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

/* Rows of training for the checkpoint. They should not make it noticeably larger: a fiftieth, but
 * for small models room for some hundred short rows in any case. */
static diffuse_err pick_rehearsal(struct train_run *r) {
    size_t bytes = r->model.list.entries * (r->o.type == CKPT_F32 ? 4 : 2) / 50;
    diffuse_err e = rehearse_pick(&r->data.train, r->data.labels.n, r->model.config.vocab,
                                  r->o.rehearsal, bytes > REHEARSAL_BYTES ? bytes : REHEARSAL_BYTES,
                                  r->o.seed, &r->model.rehearse, &r->why);

    if (!e && r->model.rehearse.kept)
        train_record_line(&r->record,
                          "rehearsal: %u training rows are kept in the checkpoint, readable for "
                          "whoever has it (--rehearsal 0: none)",
                          r->model.rehearse.kept->rows);
    return e;
}

/* Up to the first step. *found: there is a run to go on with, and it was taken up. */
static diffuse_err make_model(struct train_run *r, bool *found) {
    struct fit_data data = {&r->data.train, r->data.valid.n ? &r->data.valid : NULL,
                            r->data.test.n ? &r->data.test : NULL};
    struct fit_options fit = {
        .warmup = r->o.warmup, .epochs = (uint32_t)r->o.epochs, .batch = (uint32_t)r->o.batch};
    size_t pieces = 0; /* of the run that is found, not of the folds before it */
    diffuse_err e;

    if ((e = train_options_config(&r->o, &r->model.config, &r->why)) ||
        (e = train_options_step(&r->o, &fit.step, &fit.decay, &r->why)) || (e = make_weights(r)) ||
        (e = pick_rehearsal(r)))
        return e;
    train_save_identify(r);
    if ((r->o.resume && (e = train_save_look(r, found, &pieces))) ||
        (e = gemm_reserve(r->o.threads, &r->why)) ||
        (e = team_new(r->o.threads, &r->team, &r->why)) ||
        (train_parts_wanted(r) && (e = train_parts_choose(r, &fit))) ||
        (!*found && (e = start_linear(r))) || (e = train_memory_budget(r, &fit.memory)))
        return e;
    fit.pieces = pieces;
    if ((e = fit_new(&r->model.config, r->model.weights, &fit, &data, r->team, &r->fit, &r->why)))
        return e;
    train_memory_say(r, fit_plan(r->fit));
    if ((*found && (e = train_save_resume(r))) || (e = train_record_begin(&r->record, &r->why)))
        return e;
    return train_record_config(&r->record, &r->o, &r->model.config, &data, &r->why);
}

/* At the beginning, or where the run that was found stands. */
static diffuse_err begin(struct train_run *r, bool found) {
    uint32_t done = fit_place(r->fit)->epoch;
    diffuse_err e = train_record_rewind(&r->record, &r->why);

    if (e)
        return e;
    if (!found)
        state_file_begin(r->o.out);
    for (uint32_t i = 0; i < done; i++)
        train_record_row(&r->record, &r->epochs[i], r->seconds[i]);
    if (found)
        train_record_line(&r->record, "goes on in epoch %u, at row %llu", done + 1,
                          (unsigned long long)fit_place(r->fit)->rows);
    else if (r->o.resume)
        train_record_line(&r->record, "nothing to go on with: starts at epoch 1");
    return DIFFUSE_OK;
}

static double share(const struct eval_result *s) {
    return s->rows ? (double)s->hits / (double)s->rows : 0;
}

/* Keep the weights of the epoch that ended if they are the best so far, here and on disk. */
static diffuse_err keep_best(struct train_run *r) {
    uint32_t epoch = fit_place(r->fit)->epoch;

    if (r->data.valid.n && r->best_epoch &&
        share(&r->epochs[epoch - 1].valid) <= share(&r->epochs[r->best_epoch - 1].valid))
        return DIFFUSE_OK;
    r->best_epoch = epoch;
    if (r->best)
        memcpy(r->best, r->model.weights->block, r->model.list.entries * sizeof *r->best);
    return train_save_model(r, TRAIN_SAVE_BEST, r->best ? r->best : r->model.weights->block);
}

/* One epoch as the ticks see it. */
struct segments {
    struct train_run *r;
    diffuse_err e; /* of a save */
};

static enum fit_order tick_rows(void *user, size_t done, size_t total, double loss) {
    struct segments *u = user;
    enum run_watch_order order;
    char extra[32];

    (void)snprintf(extra, sizeof extra, "loss %.4f", loss);
    order = run_watch_tick(&u->r->watch, done, total, extra);
    if (order == RUN_WATCH_SAVE) {
        u->e = train_save_state(u->r);
        run_watch_saved(&u->r->watch);
    }
    return order == RUN_WATCH_STOP || u->e ? FIT_STOP : FIT_GO_ON;
}

static diffuse_err stop(struct train_run *r) {
    const struct fit_place *p = fit_place(r->fit);
    diffuse_err e = train_save_state(r);

    return e ? e
             : reason_set(&r->why, DIFFUSE_STOPPING,
                          "stopped in epoch %u at row %llu of %zu; the same command with --resume "
                          "goes on from there",
                          p->epoch + 1, (unsigned long long)p->rows, r->data.train.n);
}

static diffuse_err train_epoch(struct train_run *r) {
    struct segments u = {.r = r};
    uint32_t epoch = fit_place(r->fit)->epoch;
    diffuse_err e;
    bool done;

    run_watch_begin(&r->watch, "epoch", epoch + 1, r->o.quiet);
    e = fit_run_epoch(r->fit, tick_rows, &u, &r->epochs[epoch], &done, &r->why);
    say_progress_end(&r->watch.progress);
    if (e || u.e)
        return e ? e : u.e;
    if (!done)
        return stop(r);
    r->seconds[epoch] = run_watch_end(&r->watch);
    train_record_epoch(&r->record, &r->epochs[epoch], r->seconds[epoch]);
    return keep_best(r);
}

static diffuse_err train_epochs(struct train_run *r) {
    diffuse_err e = DIFFUSE_OK;

    while (!e && fit_place(r->fit)->epoch < r->o.epochs)
        e = train_epoch(r);
    if (e == DIFFUSE_INVAL && r->best_epoch) /* diverged */
        train_record_line(&r->record, "%s/" TRAIN_SAVE_BEST " has epoch %u", r->o.out,
                          r->best_epoch);
    return e;
}

static diffuse_err run_all(struct train_run *r) {
    bool found = false;
    diffuse_err e;

    if ((e = train_record_open(&r->record, r->o.out, r->o.quiet, r->o.resume, &r->why)) ||
        (e = train_init_open(&r->data.init, &r->o, &r->why)) || (e = train_data_read(r)) ||
        (e = run_watch_init(&r->watch, r->o.save_every, &r->why)) || (e = make_model(r, &found)) ||
        (e = begin(r, found)) || (e = train_epochs(r)))
        return e;
    return train_finish(r);
}

int cmd_train(int argc, char **argv) {
    struct train_run r = {.watch.signals = -1, .model.temperature = 1};
    diffuse_err e;

    train_options_parse(argc, argv, &r.o);
    if (r.o.resume && state_file_finished(r.o.out)) {
        fprintf(stderr, "%s: finished already (there is a summary.json)\n", r.o.out);
        return 0;
    }
    e = run_all(&r);
    if (e && r.record.log) {
        r.record.quiet = true; /* say_error says it */
        train_record_line(&r.record, "failed: %s",
                          r.why.text[0] ? r.why.text : diffuse_strerror(e));
    }
    run_done(&r);
    return e ? say_error(e, &r.why) : 0;
}
