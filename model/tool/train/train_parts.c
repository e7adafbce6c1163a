#include "model/tool/train/train_parts.h"

#include <stdio.h>
#include <string.h>

#include "model/tool/common/say.h"
#include "model/tool/train/train_base.h"

bool train_parts_wanted(const struct train_run *r) {
    if (strcmp(r->o.wide, "auto") != 0)
        return strcmp(r->o.wide, "none") != 0;
    return train_base_left_open(r);
}

/* The folds as the ticks see them. */
struct folds {
    struct train_run *r;
    struct say_progress progress;
    bool shown;
};

static enum fit_order tick(void *user, unsigned fold, unsigned folds, size_t done, size_t total) {
    struct folds *f = user;
    char extra[32];

    if (!f->shown)
        say_progress_start(&f->progress, "held-out folds", f->r->o.quiet);
    f->shown = true;
    (void)snprintf(extra, sizeof extra, "fold %u of %u", fold + 1, folds);
    say_progress_tick(&f->progress, fold * total + done, folds * total, extra);
    return run_watch_asked(&f->r->watch) ? FIT_STOP : FIT_GO_ON;
}

static double percent(double share) {
    return 100 * share;
}

static void say_choice(struct train_run *r) {
    const struct joint *j = &r->model.joint;
    const struct wide *wide = j->wide.wide;

    train_record_line(&r->record,
                      "wide part: %u features, %u weights, cost %g%s; right on %.2f %% of the rows "
                      "held out",
                      wide->shape.features, wide->shape.entries, j->wide.cost,
                      j->wide.beta > 0 ? ", with ratios" : "", percent(j->wide.accuracy));
    if (j->judged == 0)
        train_record_line(&r->record, "too few rows to hold any out: both parts count alike");
    else
        train_record_line(&r->record,
                          "on %zu rows held out: wide %.2f %%, deep %.2f %%, together %.2f %% "
                          "(%.3g of the wide, %.3g of the deep)",
                          j->judged, percent(j->mix.accuracy_wide), percent(j->mix.accuracy_deep),
                          percent(j->mix.accuracy), j->mix.wide, j->mix.deep);
}

/* A deep part that is not computed takes a table of one number a piece, and no steps. */
static diffuse_err leave_out_deep(struct train_run *r) {
    struct net_config *c = &r->model.config;
    struct rng rng;
    diffuse_err e;

    train_record_line(&r->record, "the deep part adds nothing, and is left out");
    c->width = c->mlp_width = c->head_width = 1;
    c->steps = 0;
    c->ngram_order = c->ngram_rows = 0;
    c->norm = NET_NORM_RESIDUAL;
    arena_done(&r->model.net_arena);
    if ((e = arena_init(&r->model.net_arena, weights_bytes(c))) ||
        (e = weights_new(&r->model.net_arena, c, &r->model.weights)))
        return e;
    weights_list_make(c, &r->model.list);
    rng_init(&rng, r->o.seed, 0x1217);
    weights_init(r->model.weights, c, r->o.init_std, &rng);
    return DIFFUSE_OK;
}

diffuse_err train_parts_choose(struct train_run *r, const struct fit_options *fit) {
    const struct joint_options o = {.wide = {.seed = r->o.seed}, .fit = *fit, .deep = true};
    struct folds folds = {.r = r};
    double began = say_now();
    diffuse_err e = joint_fit(&r->model.config, r->model.weights, &r->data.train, r->data.tokenizer,
                              &o, r->team, tick, &folds, &r->model.joint, &r->why);

    if (folds.shown)
        say_progress_end(&folds.progress);
    if (e)
        return e;
    if (r->model.joint.stopped)
        return reason_set(&r->why, DIFFUSE_STOPPING,
                          "stopped before the first epoch; nothing is lost but the time");
    wide_scale(r->model.joint.wide.wide, (float)r->model.joint.mix.wide);
    say_choice(r);
    r->watch.spent += say_now() - began; /* counts as the first epoch's */
    return r->model.joint.mix.deep > 0 ? DIFFUSE_OK : leave_out_deep(r);
}

void train_parts_join(const struct train_run *r, struct net_config *c, struct net_weights *w) {
    const struct wide *wide = r->model.joint.wide.wide;

    if (!wide)
        return;
    c->wide = wide->shape;
    c->deep_scale = (float)r->model.joint.mix.deep;
    w->wide = wide;
}

json_t *train_parts_json(const struct train_run *r) {
    const struct joint *j = &r->model.joint;

    if (!j->wide.wide)
        return json_null();
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:f}", "rows", (json_int_t)j->judged,
                     "wide_accuracy", j->mix.accuracy_wide, "deep_accuracy", j->mix.accuracy_deep,
                     "accuracy", j->mix.accuracy, "loss", j->mix.loss, "wide_scale", j->mix.wide,
                     "deep_scale", j->mix.deep, "wide_features",
                     (json_int_t)j->wide.wide->shape.features, "wide_cost", j->wide.cost);
}
