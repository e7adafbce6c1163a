#include "model/train/fit.h"

#include <math.h>
#include <stdlib.h>

/* A mean loss this many times that of a guess (log of the labels), after so many steps of an
 * epoch, is divergence: no setting that works comes near. */
#define DIVERGED_LOSS  8.0
#define DIVERGED_STEPS 50u

struct fit {
    const struct net_config *c;
    struct net_weights *w;
    struct fit_options o;
    struct fit_data data;
    struct team *team;
    struct step_plan plan;
    struct step *step;
    size_t *pick; /* (batch) the rows of a step */
    struct fit_place place;
};

static uint64_t steps_each(const struct fit *f) { /* of an epoch */
    return (f->data.train->n + f->o.batch - 1) / f->o.batch;
}

static diffuse_err make_plan(struct fit *f, struct reason *why) {
    const struct step_options *o = &f->o.step;
    size_t longest = f->data.train->longest;
    unsigned members = team_size(f->team);

    if (f->o.pieces)
        return step_plan_repeat(f->c, o, members, f->o.batch, longest, f->o.memory, f->o.pieces,
                                &f->plan, why);
    return step_plan_make(f->c, o, members, f->o.batch, longest, f->o.memory, &f->plan, why);
}

diffuse_err fit_new(const struct net_config *c, struct net_weights *w, const struct fit_options *o,
                    const struct fit_data *data, struct team *team, struct fit **ret_fit,
                    struct reason *why) {
    struct fit *f = calloc(1, sizeof *f);
    diffuse_err e;

    if (!f)
        return DIFFUSE_NOMEM;
    *f = (struct fit){.c = c, .w = w, .o = *o, .data = *data, .team = team};
    if (f->o.batch > data->train->n)
        f->o.batch = (uint32_t)data->train->n;
    f->pick = calloc(f->o.batch, sizeof *f->pick);
    e = f->pick ? make_plan(f, why) : DIFFUSE_NOMEM;
    if (!e)
        e = step_new(c, w, &o->step, team, data->train->longest, &f->plan, &f->step);
    if (e) {
        fit_free(f);
        return e;
    }
    *ret_fit = f;
    return DIFFUSE_OK;
}

void fit_free(struct fit *f) {
    if (!f)
        return;
    step_free(f->step);
    free(f->pick);
    free(f);
}

const struct step_plan *fit_plan(const struct fit *f) {
    return &f->plan;
}

struct fit_place *fit_place(struct fit *f) {
    return &f->place;
}

struct step_state fit_step_state(struct fit *f) {
    return step_state(f->step);
}

static double rate_now(const struct fit *f) {
    uint64_t each = steps_each(f), total = each * f->o.epochs;

    return sched_factor(f->o.decay, each * f->place.epoch + f->place.steps,
                        (uint64_t)(f->o.warmup * (double)total), total);
}

static diffuse_err check_loss(const struct fit *f, const struct step_result *r,
                              struct reason *why) {
    double guess = log((double)f->c->labels) + 1, mean = f->place.loss / (double)f->place.rows;

    if (r->skipped && scaler_lost(step_state(f->step).scaler))
        return reason_set(
            why, DIFFUSE_INVAL,
            "training diverged in epoch %u: no scale of the loss gives gradients that "
            "are numbers; lower --lr and --table-lr, or take --precision f32",
            f->place.epoch + 1);
    if (r->skipped)
        return DIFFUSE_OK;
    if (!isfinite(r->loss) || !isfinite(r->norm))
        return reason_set(why, DIFFUSE_INVAL,
                          "training diverged in epoch %u: the loss is no longer a number; lower "
                          "--lr and --table-lr, or --clip",
                          f->place.epoch + 1);
    if (f->place.steps >= DIVERGED_STEPS && mean > DIVERGED_LOSS * guess)
        return reason_set(why, DIFFUSE_INVAL,
                          "training diverged in epoch %u: a mean loss of %.3g, where a guess has "
                          "%.3g; lower --lr and --table-lr, or --clip",
                          f->place.epoch + 1, mean, guess - 1);
    return DIFFUSE_OK;
}

static diffuse_err run_step(struct fit *f, const struct permute *order, struct reason *why) {
    struct fit_place *p = &f->place;
    size_t left = f->data.train->n - p->rows, take = left < f->o.batch ? left : f->o.batch;
    struct step_result r;
    diffuse_err e;

    for (size_t i = 0; i < take; i++)
        f->pick[i] = (size_t)permute_at(order, p->rows + i);
    if ((e = step_run(f->step, f->data.train, f->pick, take, rate_now(f), &r, why)))
        return e;
    if (r.skipped && !isfinite(r.loss)) /* as if it had gone like those before */
        r.loss = p->rows ? p->loss / (double)p->rows : 0;
    p->rows += take;
    p->steps++;
    p->hits += r.hits;
    p->tokens += r.tokens;
    p->loss += r.loss * (double)take;
    p->norm += r.skipped ? 0 : r.norm;
    p->skipped += r.skipped;
    return check_loss(f, &r, why);
}

static diffuse_err run_steps(struct fit *f, fit_tick *tick, void *user, bool *ret_done,
                             struct reason *why) {
    size_t n = f->data.train->n;
    struct fit_place *p = &f->place;
    struct permute order;

    permute_init(&order, n, f->o.step.seed, 0x0e70c0 + (uint64_t)p->epoch);
    while (p->rows < n) {
        diffuse_err e = run_step(f, &order, why);

        if (e)
            return e;
        if (tick && tick(user, p->rows, n, p->loss / (double)p->rows) == FIT_STOP) {
            *ret_done = false;
            return DIFFUSE_OK;
        }
    }
    *ret_done = true;
    return DIFFUSE_OK;
}

static diffuse_err score(struct fit *f, const struct rows *rows, struct eval_result *ret,
                         struct reason *why) {
    return rows ? eval_rows(f->c, f->w, f->team, rows, NULL, ret, why) : DIFFUSE_OK;
}

diffuse_err fit_run_epoch(struct fit *f, fit_tick *tick, void *user, struct fit_epoch *ret_epoch,
                          bool *ret_done, struct reason *why) {
    struct fit_epoch epoch = {.epoch = f->place.epoch + 1};
    struct fit_place *p = &f->place;
    bool done;
    diffuse_err e = run_steps(f, tick, user, &done, why);

    if (e || !done) {
        *ret_done = false;
        return e;
    }
    if ((e = score(f, f->data.valid, &epoch.valid, why)) ||
        (e = score(f, f->data.test, &epoch.test, why)))
        return e;
    epoch.train_loss = p->loss / (double)p->rows;
    epoch.train_accuracy = (double)p->hits / (double)p->rows;
    epoch.grad_norm = p->steps > p->skipped ? p->norm / (double)(p->steps - p->skipped) : 0;
    epoch.skipped = p->skipped;
    epoch.loss_scale = (double)step_state(f->step).scaler->scale;
    epoch.tokens = p->tokens;
    p->steps--;
    epoch.rate = rate_now(f); /* of the last step */
    *p = (struct fit_place){.epoch = p->epoch + 1};
    *ret_epoch = epoch;
    *ret_done = true;
    return DIFFUSE_OK;
}
