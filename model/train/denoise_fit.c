/* denoise_fit.c - see denoise_fit.h. */
#include "model/train/denoise_fit.h"

#include <math.h>
#include <stdlib.h>

#define STREAM_ORDER 0xde0000
#define SHOWN_STEPS  50 /* about as many steps as the loss that is shown is a mean of */

struct denoise_fit {
    struct denoise_fit_options o;
    const struct rows *train, *held;
    struct denoise_step *step;
    size_t *pick;  /* (batch) rows of one step */
    uint32_t pass; /* done */
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

static double rate_at(const struct denoise_fit *f, uint64_t step_of_pass) {
    uint64_t each = (f->train->n + f->o.batch - 1) / f->o.batch, total = each * f->o.passes;

    return sched_factor(f->o.decay, each * f->pass + step_of_pass,
                        (uint64_t)(f->o.warmup * (double)total), total);
}

static diffuse_err run_steps(struct denoise_fit *f, denoise_tick *tick, void *user,
                             struct denoise_pass *pass, struct reason *why) {
    size_t n = f->train->n, steps = 0, picked = 0;
    double loss = 0, shown = 0;
    struct permute order;

    permute_init(&order, n, f->o.step.seed, STREAM_ORDER + (uint64_t)f->pass);
    for (size_t at = 0; at < n; at += f->o.batch, steps++) {
        size_t take = n - at < f->o.batch ? n - at : f->o.batch;
        struct denoise_result r;
        diffuse_err e;

        for (size_t i = 0; i < take; i++)
            f->pick[i] = (size_t)permute_at(&order, at + i);
        e = denoise_step_run(f->step, f->train, f->pick, take, rate_at(f, steps), &r, why);
        if (e)
            return e;
        if (!isfinite(r.loss) || !isfinite(r.norm))
            return reason_set(why, DIFFUSE_INVAL,
                              "training diverged in pass %u: the loss is no longer a number; "
                              "lower --lr and --table-lr, or --clip",
                              f->pass + 1);
        loss += r.loss * (double)r.picked;
        picked += r.picked;
        pass->tokens += r.tokens;
        pass->grad_norm += r.norm;
        shown += (r.loss - shown) / (double)(steps < SHOWN_STEPS ? steps + 1 : SHOWN_STEPS);
        if (tick)
            tick(user, at + take, n, shown, pass->tokens);
    }
    pass->train_loss = picked ? loss / (double)picked : 0;
    pass->grad_norm /= (double)(steps ? steps : 1);
    return DIFFUSE_OK;
}

diffuse_err denoise_fit_run(struct denoise_fit *f, denoise_tick *tick, void *user,
                            struct denoise_pass *ret_pass, struct reason *why) {
    struct denoise_pass pass = {.pass = f->pass + 1};
    diffuse_err e = run_steps(f, tick, user, &pass, why);

    if (!e && f->held)
        e = denoise_step_score(f->step, f->held, &pass.held, why);
    if (e)
        return e;
    f->pass++;
    *ret_pass = pass;
    return DIFFUSE_OK;
}
