#include "model/tool/pretrain/pretrain_save.h"

#include "model/tool/train/state_file.h"

static size_t entries(const struct pretrain_run *r) {
    struct weights_list l;

    weights_list_make(&r->config, &l);
    return l.entries;
}

static size_t parts(struct pretrain_run *r, struct resume_part *part) {
    struct denoise_step_state s = denoise_fit_state(r->fit);
    size_t n = 0;

    part[n++] = (struct resume_part){"weights", r->weights->block, entries(r)};
    part[n++] = (struct resume_part){"first_moments", s.m, s.n};
    part[n++] = (struct resume_part){"second_moments", s.v, s.n};
    part[n++] = (struct resume_part){"objective", s.own, s.n_own};
    part[n++] = (struct resume_part){"objective_first_moments", s.own_m, s.n_own};
    part[n++] = (struct resume_part){"objective_second_moments", s.own_v, s.n_own};
    return n;
}

/* --- out ----------------------------------------------------------------- */

/* What must be the same when the run goes on. */
static json_t *identity(const struct pretrain_run *r) {
    json_t *options = pretrain_options_json(&r->o);

    json_object_del(options, "save-every");
    return json_pack("{s:s, s:o, s:I, s:I, s:I}", "version", DIFFUSE_VERSION, "parameters", options,
                     "train_windows", (json_int_t)r->train.n, "held_windows", (json_int_t)r->held.n,
                     "numbers", (json_int_t)entries(r));
}

static json_t *passes_json(const struct pretrain_run *r) {
    json_t *all = json_array();

    for (uint32_t i = 0; i < denoise_fit_place(r->fit)->pass; i++) {
        const struct denoise_pass *p = &r->passes[i];

        json_array_append_new(all, json_pack("{s:f, s:f, s:f, s:I, s:f, s:f, s:I, s:I, s:f}",
                                             "cosine", p->cosine, "held_cosine", p->held.cosine,
                                             "loss", p->train_loss, "tokens", (json_int_t)p->tokens,
                                             "norm", p->grad_norm, "held_loss", p->held.loss,
                                             "held_hits", (json_int_t)p->held.hits, "held_picked",
                                             (json_int_t)p->held.picked, "seconds", r->seconds[i]));
    }
    return all;
}

static json_t *place_json(const struct denoise_place *p) {
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "cosine", p->cosine, "rows",
                     (json_int_t)p->rows, "steps", (json_int_t)p->steps, "picked",
                     (json_int_t)p->picked, "tokens", (json_int_t)p->tokens, "loss", p->loss,
                     "norm", p->norm, "shown", p->shown);
}

diffuse_err pretrain_save_state(struct pretrain_run *r) {
    struct resume_part part[RESUME_PARTS_MAX];
    size_t n = parts(r, part);

    return state_file_write(
        r->o.model.out,
        json_pack("{s:o, s:o, s:I, s:f, s:o}", "run", identity(r), "passes", passes_json(r),
                  "updates", (json_int_t)*denoise_fit_state(r->fit).count, "seconds",
                  run_watch_seconds(&r->watch), "place", place_json(denoise_fit_place(r->fit))),
        part, n, &r->why);
}

/* --- back in ------------------------------------------------------------- */

static void take_passes(struct pretrain_run *r, const json_t *all) {
    for (uint32_t i = 0; i < denoise_fit_place(r->fit)->pass; i++) {
        const json_t *p = json_array_get(all, i);

        r->passes[i] = (struct denoise_pass){.pass = i + 1,
                                             .train_loss = state_file_number(p, "loss"),
                                             .cosine = state_file_number(p, "cosine"),
                                             .held.cosine = state_file_number(p, "held_cosine"),
                                             .tokens = state_file_whole(p, "tokens"),
                                             .grad_norm = state_file_number(p, "norm"),
                                             .held.loss = state_file_number(p, "held_loss"),
                                             .held.hits = state_file_whole(p, "held_hits"),
                                             .held.picked = state_file_whole(p, "held_picked")};
        r->seconds[i] = state_file_number(p, "seconds");
    }
}

static diffuse_err take_text(struct pretrain_run *r, const json_t *all) {
    const json_t *p = json_object_get(all, "place"), *passes = json_object_get(all, "passes");

    if (json_array_size(passes) > r->o.passes || state_file_whole(p, "rows") > r->train.n)
        return reason_set(&r->why, DIFFUSE_CORRUPT,
                          "%s: more passes or rows in the state than the run has", r->o.model.out);
    *denoise_fit_place(r->fit) = (struct denoise_place){.pass = (uint32_t)json_array_size(passes),
                                                        .rows = state_file_whole(p, "rows"),
                                                        .steps = state_file_whole(p, "steps"),
                                                        .picked = state_file_whole(p, "picked"),
                                                        .tokens = state_file_whole(p, "tokens"),
                                                        .loss = state_file_number(p, "loss"),
                                                        .cosine = state_file_number(p, "cosine"),
                                                        .norm = state_file_number(p, "norm"),
                                                        .shown = state_file_number(p, "shown")};
    *denoise_fit_state(r->fit).count = state_file_whole(all, "updates");
    r->watch.spent = state_file_number(all, "seconds");
    take_passes(r, passes);
    return DIFFUSE_OK;
}

diffuse_err pretrain_save_resume(struct pretrain_run *r, bool *ret_found) {
    struct resume_part part[RESUME_PARTS_MAX];
    json_t *all = NULL;
    diffuse_err e;

    e = state_file_read(r->o.model.out, &all, &r->why);
    *ret_found = e != DIFFUSE_NOTFOUND;
    if (e)
        return e == DIFFUSE_NOTFOUND ? DIFFUSE_OK : e;
    if (!(e = state_file_compare(r->o.model.out, identity(r), json_object_get(all, "run"),
                                 &r->why)) &&
        !(e = take_text(r, all)))
        e = state_file_numbers(r->o.model.out, part, parts(r, part), &r->why);
    json_decref(all);
    return e;
}
