#include "model/train/denoise/denoise_fit.h"

#include <math.h>
#include <stdlib.h>

#define STREAM_ORDER 0xde0000
#define SHOWN_STEPS  50 /* about as many steps as the loss that is shown is a mean of */

struct denoise_fit {
    struct denoise_fit_options o;
    const struct rows *train, *held;
    struct denoise_step *step;
    size_t *pick; /* (batch) rows of one step */
    struct denoise_place place;
};

diffuse_err denoise_fit_new(const struct net_config *c, struct net_weights *w,
                            const struct denoise_fit_options *o, const struct rows *train,
                            const struct rows *held, const uint64_t *count, struct team *team,
                            struct denoise_fit **ret_fit) {
    struct denoise_fit *f = calloc(1, sizeof *f);
    size_t longest = held && held->longest > train->longest ? held->longest : train->longest;
    diffuse_err e;

    if (!f)
        return DIFFUSE_NOMEM;
    *f = (struct denoise_fit){.o = *o, .train = train, .held = held};
    f->pick = calloc(o->batch, sizeof *f->pick);
    e = f->pick ? denoise_step_new(c, w, &o->step, count, team, o->batch, longest, &f->step)
                : DIFFUSE_NOMEM;
    if (e) {
        denoise_fit_free(f);
        return e;
    }
    *ret_fit = f;
    return DIFFUSE_OK;
}

void denoise_fit_free(struct denoise_fit *f) {
    if (!f)
        return;
    denoise_step_free(f->step);
    free(f->pick);
    free(f);
}

struct denoise_place *denoise_fit_place(struct denoise_fit *f) {
    return &f->place;
}

struct denoise_step_state denoise_fit_state(struct denoise_fit *f) {
    return denoise_step_state(f->step);
}

static double rate_now(const struct denoise_fit *f) {
    uint64_t each = (f->train->n + f->o.batch - 1) / f->o.batch, total = each * f->o.passes;

    return sched_factor(f->o.decay, each * f->place.pass + f->place.steps,
                        (uint64_t)(f->o.warmup * (double)total), total);
}

static diffuse_err run_step(struct denoise_fit *f, const struct permute *order,
                            struct reason *why) {
    struct denoise_place *p = &f->place;
    size_t left = f->train->n - p->rows, take = left < f->o.batch ? left : f->o.batch;
    struct denoise_result r;
    diffuse_err e;

    for (size_t i = 0; i < take; i++)
        f->pick[i] = (size_t)permute_at(order, p->rows + i);
    if ((e = denoise_step_run(f->step, f->train, f->pick, take, rate_now(f), &r, why)))
        return e;
    if (!isfinite(r.loss) || !isfinite(r.cosine) || !isfinite(r.norm))
        return reason_set(why, DIFFUSE_INVAL,
                          "training diverged in pass %u: the loss is no longer a number; "
                          "lower --lr and --table-lr, or --clip",
                          p->pass + 1);
    p->rows += take;
    p->steps++;
    p->picked += r.picked;
    p->tokens += r.tokens;
    p->loss += r.loss * (double)r.picked;
    p->norm += r.norm;
    p->cosine += r.cosine * (double)take;
    p->shown += ((r.picked ? r.loss : 1 - r.cosine) - p->shown) /
                (double)(p->steps < SHOWN_STEPS ? p->steps : SHOWN_STEPS);
    return DIFFUSE_OK;
}

static diffuse_err run_steps(struct denoise_fit *f, denoise_tick *tick, void *user, bool *ret_done,
                             struct reason *why) {
    struct denoise_place *p = &f->place;
    size_t n = f->train->n;
    struct permute order;

    permute_init(&order, n, f->o.step.seed, STREAM_ORDER + (uint64_t)p->pass);
    *ret_done = false;
    while (p->rows < n) {
        diffuse_err e = run_step(f, &order, why);

        if (e)
            return e;
        if (tick && !tick(user, p->rows, n, p->shown, p->tokens))
            return DIFFUSE_OK;
    }
    *ret_done = true;
    return DIFFUSE_OK;
}

diffuse_err denoise_fit_run(struct denoise_fit *f, denoise_tick *tick, void *user,
                            struct denoise_pass *ret_pass, bool *ret_done, struct reason *why) {
    struct denoise_place *p = &f->place;
    struct denoise_pass pass = {.pass = p->pass + 1};
    diffuse_err e = run_steps(f, tick, user, ret_done, why);

    if (e || !*ret_done)
        return e;
    if (f->held && (e = denoise_step_score(f->step, f->held, &pass.held, why)))
        return e;
    pass.train_loss = p->picked ? p->loss / (double)p->picked : 0;
    pass.tokens = p->tokens;
    pass.cosine = p->cosine / (double)(p->rows ? p->rows : 1);
    pass.grad_norm = p->norm / (double)(p->steps ? p->steps : 1);
    *p = (struct denoise_place){.pass = p->pass + 1};
    *ret_pass = pass;
    return DIFFUSE_OK;
}
