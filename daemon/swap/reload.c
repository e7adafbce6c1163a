#include "daemon/swap/reload.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/clock.h"

/* Tables were laid for the first model. What a later one needs beyond them cannot be given. */
static diffuse_err check_room(const struct reload *r, const struct plan_shape *shape,
                              struct reason *why) {
    if (!r->laid || !r->conf->scores || shape->config->labels <= r->room.scores)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_BUDGET,
                      "%" PRIu32
                      " labels; with scores = yes the row 'samples' was laid for %" PRIu32
                      " at the start; restart with this model, or set scores to no",
                      shape->config->labels, r->room.scores);
}

static void make_plan(const struct reload *r, const struct plan_shape *shape,
                      const struct loaded_model *serving, struct plan *ret_plan) {
    struct plan_facts facts = {.serving = shape,
                               .room = r->laid ? &r->room : NULL,
                               .resident = r->resident,
                               .tuning = r->tuning};
    if (r->background)
        facts.second = serving ? &serving->shape : shape;
    r->measure(ret_plan, r->conf, &facts);
}

diffuse_err reload_open(const struct reload *r, const char *path,
                        const struct loaded_model *serving, struct ckpt **ret_ckpt,
                        struct plan *ret_plan, struct reason *why) {
    struct reason inner = {""};
    struct ckpt *k = NULL;
    diffuse_err e = ckpt_open(path, NULL, &k, why);
    if (e)
        return e;
    struct plan_shape shape;
    if ((e = loaded_model_shape(k, r->conf, &shape, why))) {
        ckpt_close(k);
        return e;
    }
    make_plan(r, &shape, serving, ret_plan);
    e = check_room(r, &shape, &inner);
    if (!e)
        e = plan_check(ret_plan, &inner);
    if (e) {
        ckpt_close(k);
        return reason_set(why, e, "%.200s: %s", path, inner.text);
    }
    *ret_ckpt = k;
    return DIFFUSE_OK;
}

static void write_note(const struct loaded_model *s, const struct conf *c, char *note, size_t cap) {
    uint32_t wished = s->shape.max_length > 0 && s->shape.max_length < c->max_length
                          ? s->shape.max_length
                          : (uint32_t)c->max_length;
    note[0] = '\0';
    if (s->plan.max_length < wished)
        snprintf(note, cap,
                 "samples are cut at %" PRIu32 " tokens, for which the tables were laid at the "
                 "start, not at %" PRIu32 "; ",
                 s->plan.max_length, wished);
    if (!s->self_tested)
        snprintf(note + strlen(note), cap - strlen(note), "the file has no self-test; ");
    size_t n = strlen(note);
    if (n >= 2)
        note[n - 2] = '\0';
}

/* From a file that fits the plan. */
static diffuse_err run_open(const struct reload *r, struct ckpt *k, const struct plan *plan,
                            const char *path, const struct loaded_model *serving, bool to_root,
                            reload_room_asker *ask, void *user, struct loaded_model **ret_slot,
                            struct reload_report *report, struct reason *why) {
    char id[DIGEST_HEX_BYTES];
    uint64_t begin = clock_now();
    diffuse_err e = ckpt_verify(k, id, why);
    report->verify_ns = clock_now() - begin;
    if (e)
        return e;
    if (strcmp(id, serving->model->id) == 0) {
        snprintf(report->note, sizeof report->note,
                 "this checkpoint serves already; nothing was changed");
        return DIFFUSE_OK;
    }
    if (!to_root && strcmp(id, serving->root) == 0) {
        snprintf(
            report->note, sizeof report->note,
            "what serves was tuned from this checkpoint; `diffusectl tune reset` returns to it");
        return DIFFUSE_OK;
    }
    struct loaded_model *slot = ask(user);
    if (!slot)
        return reason_set(why, DIFFUSE_STOPPING, "%.200s: not loaded: %s", path,
                          diffuse_strerror(DIFFUSE_STOPPING));
    *ret_slot = slot;
    begin = clock_now();
    e = loaded_model_load(slot, k, r->conf, plan, path, why);
    report->load_ns = clock_now() - begin;
    if (!e)
        write_note(slot, r->conf, report->note, sizeof report->note);
    return e;
}

diffuse_err reload_run(const struct reload *r, const char *path, const struct loaded_model *serving,
                       bool to_root, reload_room_asker *ask, void *user,
                       struct loaded_model **ret_slot, struct reload_report *ret_report,
                       struct reason *why) {
    struct plan plan;
    struct ckpt *k = NULL;
    *ret_slot = NULL;
    *ret_report = (struct reload_report){0};
    diffuse_err e = reload_open(r, path, serving, &k, &plan, why);
    if (!e)
        e = run_open(r, k, &plan, path, serving, to_root, ask, user, ret_slot, ret_report, why);
    ckpt_close(k);
    malloc_trim(0); /* the header's text and trees are gone */
    return e;
}

diffuse_err reload_open_first(struct reload *ret_reload, const struct conf *c,
                              plan_measurer *measure, uint64_t resident, struct ckpt **ret_ckpt,
                              struct plan *ret_plan, struct reason *why) {
    *ret_reload = (struct reload){.conf = c,
                                  .measure = measure,
                                  .resident = resident,
                                  .background = c->reload != CONF_RELOAD_NO};
    diffuse_err e = reload_open(ret_reload, c->model, NULL, ret_ckpt, ret_plan, why);
    if (!ret_reload->background)
        (void)reason_set(&ret_reload->alone, DIFFUSE_OK, "reload = no: no second model is planned");
    if (e != DIFFUSE_BUDGET || c->reload != CONF_RELOAD_AUTO)
        return e;
    ret_reload->alone = *why;
    ret_reload->background = false;
    return reload_open(ret_reload, c->model, NULL, ret_ckpt, ret_plan, why);
}
