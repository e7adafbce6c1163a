#include "model/tool/train/train_save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/tool/train/state_file.h"
#include "model/tool/train/train_parts.h"

#define PATH_BYTES 4096

static void path_of(const struct train_run *r, const char *name, char ret_path[PATH_BYTES]) {
    (void)snprintf(ret_path, PATH_BYTES, "%s/%s", r->o.out, name);
}

static json_t *score_json(const struct eval_result *s) {
    if (!s->rows)
        return json_null();
    return json_pack("{s:f, s:f, s:I}", "accuracy", (double)s->hits / (double)s->rows, "loss",
                     s->loss, "rows", (json_int_t)s->rows);
}

json_t *train_save_epoch_json(const struct fit_epoch *e) {
    return json_pack("{s:I, s:f, s:f, s:o, s:o}", "epoch", (json_int_t)e->epoch, "train_loss",
                     e->train_loss, "train_accuracy", e->train_accuracy, "valid",
                     score_json(&e->valid), "test", score_json(&e->test));
}

/* --- checkpoints --------------------------------------------------------- */

/* What the checkpoint says of its own making: no path of the machine it was made on. */
static char *provenance(const struct train_run *r, const struct fit_epoch *epoch) {
    json_t *options = train_options_json(&r->o), *all;
    char *text;

    json_object_set_new(options, "data",
                        json_sprintf("%.*s", (int)strcspn(r->o.data, ":"), r->o.data));
    for (const char *const *key =
             (const char *const[]){"test", "valid-data", "init", "memory", "save-every", NULL};
         *key; key++)
        json_object_del(options, *key);
    all = json_pack("{s:s, s:o, s:I, s:o}", "version", DIFFUSE_VERSION, "parameters", options,
                    "train_rows", (json_int_t)r->data.train.n, "result",
                    train_save_epoch_json(epoch));
    text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(8));
    json_decref(all);
    return text;
}

diffuse_err train_save_model(struct train_run *r, const char *name, real *block) {
    uint32_t epoch = block == r->best ? r->best_epoch : fit_place(r->fit)->epoch;
    char path[PATH_BYTES], *made = provenance(r, &r->epochs[epoch - 1]);
    struct net_weights weights;
    struct model m = {.config = r->model.config,
                      .weights = &weights,
                      .tokenizer = r->data.tokenizer,
                      .labels = (const char **)r->data.labels.names,
                      .temperature = (float)r->model.temperature,
                      .max_length = (uint32_t)r->o.max_length,
                      .provenance = made ? made : "{}",
                      .rehearsal = r->model.rehearse.kept};
    diffuse_err e;

    weights_point(&weights, &r->model.config, block, false);
    weights.wide = NULL;
    train_parts_join(r, &m.config, &weights);
    m.wide = r->model.joint.wide.wide;
    if (r->data.init.model)
        memcpy(m.parent, r->data.init.model->id, sizeof m.parent);
    path_of(r, name, path);
    e = ckpt_write(path, &m, r->o.type, &r->why);
    free(made);
    return e;
}

void train_save_forget_best(const struct train_run *r) {
    char path[PATH_BYTES];

    path_of(r, TRAIN_SAVE_BEST, path);
    (void)unlink(path);
}

/* --- the state: out ------------------------------------------------------ */

/* Runs of numbers; what there is of them depends on the options alone. */
static size_t parts(struct train_run *r, struct resume_part *part) {
    struct step_state s = fit_step_state(r->fit);
    size_t n = 0;

    part[n++] = (struct resume_part){"weights", r->model.weights->block, r->model.list.entries};
    part[n++] = (struct resume_part){"first_moments", s.m, s.n};
    part[n++] = (struct resume_part){"second_moments", s.v, s.n};
    if (r->best)
        part[n++] = (struct resume_part){"best", r->best, r->model.list.entries};
    return n;
}

void train_save_identify(struct train_run *r) {
    json_t *options = train_options_json(&r->o);

    json_object_del(options, "memory");
    json_object_del(options, "save-every");
    json_decref(r->identity);
    r->identity = json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:I}", "version", DIFFUSE_VERSION, "parameters", options,
        "train_rows", (json_int_t)r->data.train.n, "valid_rows", (json_int_t)r->data.valid.n,
        "numbers", (json_int_t)r->model.list.entries, "labels", (json_int_t)r->data.labels.n);
}

static json_t *epochs_json(const struct train_run *r) {
    json_t *all = json_array();

    for (uint32_t i = 0; i < fit_place(r->fit)->epoch; i++) {
        const struct fit_epoch *e = &r->epochs[i];

        json_array_append_new(
            all,
            json_pack("{s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:f, s:I, s:I, s:f, s:f, s:f, s:I}",
                      "loss", e->train_loss, "accuracy", e->train_accuracy, "norm", e->grad_norm,
                      "rate", e->rate, "tokens", (json_int_t)e->tokens, "valid_rows",
                      (json_int_t)e->valid.rows, "valid_hits", (json_int_t)e->valid.hits,
                      "valid_loss", e->valid.loss, "test_rows", (json_int_t)e->test.rows,
                      "test_hits", (json_int_t)e->test.hits, "test_loss", e->test.loss, "seconds",
                      r->seconds[i], "scale", e->loss_scale, "skipped", (json_int_t)e->skipped));
    }
    return all;
}

static json_t *place_json(const struct fit_place *p) {
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:I}", "rows", (json_int_t)p->rows, "steps",
                     (json_int_t)p->steps, "hits", (json_int_t)p->hits, "tokens",
                     (json_int_t)p->tokens, "loss", p->loss, "norm", p->norm, "skipped",
                     (json_int_t)p->skipped);
}

static json_t *scaler_json(const struct scaler *s) {
    return json_pack("{s:f, s:I, s:I}", "scale", (double)s->scale, "good_steps",
                     (json_int_t)s->good_steps, "skipped", (json_int_t)s->skipped);
}

static json_t *state_json(struct train_run *r) {
    struct step_state s = fit_step_state(r->fit);

    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "run",
                     json_incref(r->identity), "epochs", epochs_json(r), "best_epoch",
                     (json_int_t)r->best_epoch, "updates", (json_int_t)*s.count, "pieces",
                     (json_int_t)fit_plan(r->fit)->piece_tokens, "memory", (json_int_t)r->o.memory,
                     "seconds", run_watch_seconds(&r->watch), "place",
                     place_json(fit_place(r->fit)), "scaler", scaler_json(s.scaler));
}

diffuse_err train_save_state(struct train_run *r) {
    struct resume_part part[RESUME_PARTS_MAX];
    size_t n = parts(r, part);

    return state_file_write(r->o.out, state_json(r), part, n, &r->why);
}

/* --- the state: back in -------------------------------------------------- */

static void take_epochs(struct train_run *r, const json_t *all) {
    for (uint32_t i = 0; i < fit_place(r->fit)->epoch; i++) {
        const json_t *e = json_array_get(all, i);

        r->epochs[i] = (struct fit_epoch){
            .epoch = i + 1,
            .train_loss = state_file_number(e, "loss"),
            .train_accuracy = state_file_number(e, "accuracy"),
            .grad_norm = state_file_number(e, "norm"),
            .rate = state_file_number(e, "rate"),
            .tokens = state_file_whole(e, "tokens"),
            .loss_scale = state_file_number(e, "scale"),
            .skipped = state_file_whole(e, "skipped"),
            .valid = {state_file_whole(e, "valid_rows"), state_file_whole(e, "valid_hits"),
                      state_file_number(e, "valid_loss")},
            .test = {state_file_whole(e, "test_rows"), state_file_whole(e, "test_hits"),
                     state_file_number(e, "test_loss")}};
        r->seconds[i] = state_file_number(e, "seconds");
    }
}

static diffuse_err take_text(struct train_run *r, const json_t *all) {
    const json_t *p = json_object_get(all, "place"), *epochs = json_object_get(all, "epochs"),
                 *scaler = json_object_get(all, "scaler");
    struct fit_place *place = fit_place(r->fit);

    if (json_array_size(epochs) > r->o.epochs ||
        state_file_whole(all, "best_epoch") > r->o.epochs ||
        state_file_whole(p, "rows") > r->data.train.n || !(state_file_number(scaler, "scale") > 0))
        return reason_set(
            &r->why, DIFFUSE_CORRUPT,
            "%s: more epochs or rows in the state than the run has, or no scale of the loss",
            r->o.out);
    *place = (struct fit_place){.epoch = (uint32_t)json_array_size(epochs),
                                .rows = state_file_whole(p, "rows"),
                                .steps = state_file_whole(p, "steps"),
                                .hits = state_file_whole(p, "hits"),
                                .tokens = state_file_whole(p, "tokens"),
                                .loss = state_file_number(p, "loss"),
                                .norm = state_file_number(p, "norm"),
                                .skipped = state_file_whole(p, "skipped")};
    *fit_step_state(r->fit).scaler =
        (struct scaler){.scale = (float)state_file_number(scaler, "scale"),
                        .good_steps = (uint32_t)state_file_whole(scaler, "good_steps"),
                        .skipped = state_file_whole(scaler, "skipped")};
    *fit_step_state(r->fit).count = state_file_whole(all, "updates");
    r->best_epoch = (uint32_t)state_file_whole(all, "best_epoch");
    r->watch.spent = state_file_number(all, "seconds");
    take_epochs(r, epochs);
    return DIFFUSE_OK;
}

diffuse_err train_save_look(struct train_run *r, bool *ret_found, size_t *ret_pieces) {
    json_t *all = NULL;
    diffuse_err e;

    e = state_file_read(r->o.out, &all, &r->why);
    *ret_found = e != DIFFUSE_NOTFOUND;
    if (e)
        return e == DIFFUSE_NOTFOUND ? DIFFUSE_OK : e;
    e = state_file_compare(r->o.out, json_incref(r->identity), json_object_get(all, "run"),
                           &r->why);
    *ret_pieces = (size_t)state_file_whole(all, "pieces");
    r->planned = r->o.memory && state_file_whole(all, "memory") == r->o.memory;
    json_decref(all);
    return e;
}

diffuse_err train_save_resume(struct train_run *r) {
    struct resume_part part[RESUME_PARTS_MAX];
    json_t *all = NULL;
    diffuse_err e;

    if (!(e = state_file_read(r->o.out, &all, &r->why)) && !(e = take_text(r, all)))
        e = state_file_numbers(r->o.out, part, parts(r, part), &r->why);
    json_decref(all);
    return e;
}
