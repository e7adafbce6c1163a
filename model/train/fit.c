/* fit.c - see fit.h. */
#include "model/train/fit.h"

#include <math.h>
#include <stdlib.h>

struct fit {
    const struct net_config *c;
    struct net_weights *w;
    struct fit_options o;
    struct fit_data data;
    struct team *team;
    struct step *step;
    struct permute order; /* of this epoch */
    size_t *pick;         /* (batch) the rows of a step */
    uint32_t epoch;       /* done */
};

diffuse_err fit_new(const struct net_config *c, struct net_weights *w, const struct fit_options *o,
                    const struct fit_data *data, struct team *team, struct fit **ret_fit) {
    struct fit *f = calloc(1, sizeof *f);
    diffuse_err e;

    if (!f)
        return DIFFUSE_NOMEM;
    *f = (struct fit){.c = c, .w = w, .o = *o, .data = *data, .team = team};
    f->pick = calloc(o->batch, sizeof *f->pick);
    e = f->pick ? step_new(c, w, &o->step, team, o->batch, data->train->longest, &f->step)
                : DIFFUSE_NOMEM;
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

static double rate_at(const struct fit *f, size_t step_of_epoch) {
    size_t n = f->data.train->n, per_epoch = (n + f->o.batch - 1) / f->o.batch;
    uint64_t total = (uint64_t)per_epoch * f->o.epochs;

    return sched_factor(f->o.decay, (uint64_t)per_epoch * f->epoch + step_of_epoch,
                        (uint64_t)(f->o.warmup * (double)total), total);
}

static diffuse_err run_steps(struct fit *f, fit_tick *tick, void *user, struct fit_epoch *epoch,
                             struct reason *why) {
    size_t n = f->data.train->n, hits = 0, steps = 0;
    double loss = 0;

    for (size_t at = 0; at < n; at += f->o.batch, steps++) {
        size_t take = n - at < f->o.batch ? n - at : f->o.batch;
        struct step_result r;
        diffuse_err e;

        for (size_t i = 0; i < take; i++)
            f->pick[i] = (size_t)permute_at(&f->order, at + i);
        epoch->rate = rate_at(f, steps);
        e = step_run(f->step, f->data.train, f->pick, take, epoch->rate, &r, why);
        if (e)
            return e;
        if (!isfinite(r.loss) || !isfinite(r.norm))
            return reason_set(why, DIFFUSE_INVAL,
                              "training diverged in epoch %u: the loss is no longer a number; "
                              "lower --lr and --table-lr, or --clip",
                              f->epoch + 1);
        loss += r.loss * (double)take;
        hits += r.hits;
        epoch->grad_norm += r.norm;
        if (tick)
            tick(user, at + take, n, loss / (double)(at + take));
    }
    epoch->train_loss = loss / (double)n;
    epoch->train_accuracy = (double)hits / (double)n;
    epoch->grad_norm /= (double)steps;
    return DIFFUSE_OK;
}

static diffuse_err score(struct fit *f, const struct rows *rows, struct eval_result *ret,
                         struct reason *why) {
    return rows ? eval_rows(f->c, f->w, f->team, rows, NULL, NULL, ret, why) : DIFFUSE_OK;
}

diffuse_err fit_run_epoch(struct fit *f, fit_tick *tick, void *user, struct fit_epoch *ret_epoch,
                          struct reason *why) {
    struct fit_epoch epoch = {.epoch = f->epoch + 1};
    diffuse_err e;

    permute_init(&f->order, f->data.train->n, f->o.step.seed, 0x0e70c0 + (uint64_t)f->epoch);
    if ((e = run_steps(f, tick, user, &epoch, why)) ||
        (e = score(f, f->data.valid, &epoch.valid, why)) ||
        (e = score(f, f->data.test, &epoch.test, why)))
        return e;
    f->epoch++;
    *ret_epoch = epoch;
    return DIFFUSE_OK;
}
