#include "model/tune/candidate.h"

#include <string.h>

#include "model/ckpt/ckpt_round.h"
#include "model/train/update/sched.h"

#define BESIDE (128u * 1024) /* the trainer's lists, whatever the model */
#define TOKENS 4096u         /* of a step, or of one row if that may be longer */
#define WARMUP 10u           /* one step in so many rises */

static size_t entries(const struct net_config *c) {
    struct weights_list l;

    weights_list_make(c, &l);
    return l.entries;
}

/* Is a wide part's column to be added to what serves? Then it is a copy. */
static bool grows_wide(const struct net_config *c, uint32_t labels) {
    return net_config_has_wide(c) && labels > c->labels;
}

static size_t room(const struct candidate_options *o) {
    size_t all = (size_t)o->batch * o->max_length, most = TOKENS;

    most = most < o->max_length ? o->max_length : most;
    return all < most ? all : most;
}

static struct step_plan plan_of(const struct net_config *c, const struct candidate_options *o) {
    struct step_plan plan;

    step_plan_piece(c, &o->step, 1, o->batch, o->max_length, room(o), &plan);
    return plan;
}

size_t candidate_bytes(const struct net_config *c, const struct candidate_options *o,
                       uint32_t max_labels) {
    const struct net_config most = net_config_with_labels(c, max_labels);

    return arena_block(entries(&most) * sizeof(real)) +
           arena_block(o->batch * sizeof(struct step_row)) +
           arena_block(room(o) * sizeof(uint32_t)) +
           (grows_wide(c, max_labels) ? wide_bytes(&most.wide) : 0);
}

size_t candidate_bytes_beside(const struct net_config *c, const struct candidate_options *o,
                              uint32_t max_labels) {
    const struct net_config most = net_config_with_labels(c, max_labels);

    return plan_of(&most, o).bytes + BESIDE;
}

static diffuse_err new_step(struct candidate *k) {
    const struct step_plan plan = plan_of(&k->c, &k->o);

    weights_point(&k->w, &k->c, k->block, false);
    return step_new(&k->c, &k->w, &k->o.step, k->team, k->o.max_length, &plan, &k->step);
}

diffuse_err candidate_init(struct candidate *k, struct arena *arena, const struct net_config *c,
                           const struct candidate_options *o, uint32_t max_labels) {
    const struct net_config most = net_config_with_labels(c, max_labels);
    diffuse_err e;

    *k = (struct candidate){.o = *o, .c = *c, .max_labels = max_labels};
    k->block = arena_alloc(arena, entries(&most) * sizeof(real));
    k->row = arena_alloc(arena, o->batch * sizeof *k->row);
    k->ids = arena_alloc(arena, room(o) * sizeof *k->ids);
    if (!k->block || !k->row || !k->ids)
        return DIFFUSE_NOMEM;
    if (grows_wide(c, max_labels) && (e = wide_new(arena, &most.wide, NULL, &k->wide)))
        return e;
    if ((e = team_new(1, &k->team, NULL)) || (e = new_step(k)))
        candidate_done(k);
    return e;
}

void candidate_done(struct candidate *k) {
    step_free(k->step);
    team_free(k->team);
    k->step = NULL;
    k->team = NULL;
}

/* --- a life -------------------------------------------------------------- */

/* Rows of the head that the parent lacks: they give next to nothing, so that the labels are said
 * only once they are learned. */
static void start_new_labels(struct candidate *k, uint32_t from) {
    size_t H = k->c.head_width;
    real low = 0;

    for (uint32_t l = 0; l < from; l++)
        low = k->w.head_out_bias[l] < low ? k->w.head_out_bias[l] : low;
    for (uint32_t l = from; l < k->c.labels; l++) {
        k->w.head_out_bias[l] = low - 1;
        for (size_t i = 0; i < H; i++)
            k->w.head_out[l * H + i] = (real)(0.01 * rng_normal(&k->rng));
    }
}

/* All of the parent's tensors; those of the head may have more rows here, at their end. Returns how
 * many entries of the body lie where they lie in the parent's. */
static size_t copy(struct candidate *k, const struct model *parent) {
    struct weights_list from, to;
    size_t same = 0;

    weights_list_make(&parent->config, &from);
    weights_list_make(&k->c, &to);
    for (size_t i = 0; i < to.n; i++) {
        weights_widen_tensor(parent->weights, &from, &from.tensor[i],
                             k->block + to.tensor[i].offset);
        if (to.tensor[i].offset == from.tensor[i].offset)
            same = to.tensor[i].offset + from.tensor[i].count;
    }
    return same - to.table_entries;
}

/* Everything as the parent has it. */
static diffuse_err start_over(struct candidate *k, const struct model *parent, uint32_t labels) {
    diffuse_err e;

    if (labels != k->c.labels || !k->step) {
        step_free(k->step);
        k->step = NULL;
        k->c = net_config_with_labels(&k->c, labels);
        if ((e = new_step(k)))
            return e;
    }
    k->anchored = copy(k, parent);
    start_new_labels(k, parent->config.labels);
    return DIFFUSE_OK;
}

diffuse_err candidate_begin(struct candidate *k, const struct model *parent, uint32_t labels,
                            uint64_t planned, double pull) {
    bool over = !k->learned || labels != k->c.labels;
    diffuse_err e;

    candidate_end(k);
    rng_init(&k->rng, k->o.seed, ++k->births);
    if (over && (e = start_over(k, parent, labels)))
        return e;
    step_restart(k->step, k->o.seed + k->births, parent->weights, k->anchored, pull);
    k->w.wide = parent->wide; /* as it is, */
    if (grows_wide(&parent->config, labels)) {
        wide_grow(parent->wide, labels, k->wide); /* and low where a label is new */
        k->w.wide = k->wide;
    }
    k->types = ckpt_types_like(parent->weights);
    k->planned = planned;
    k->learned = true;
    return DIFFUSE_OK;
}

void candidate_end(struct candidate *k) {
    k->steps = 0;
    k->planned = 0;
    k->learned = false;
}

bool candidate_rests(const struct candidate *k) {
    return k->learned && k->steps >= k->planned;
}

/* Rows for a step, as many as fit: at least one. */
static uint32_t draw(struct candidate *k, const struct reservoir *feedback,
                     const struct reservoir *rehearsal) {
    size_t used = 0;
    uint32_t n = 0;

    for (; n < k->o.batch && used + k->o.max_length <= room(&k->o); n++) {
        bool old = rng_unit(&k->rng) < k->o.replay;
        const struct reservoir *from = old ? rehearsal : feedback;
        size_t r;

        if (from->n == 0)
            from = old ? feedback : rehearsal;
        r = rng_below(&k->rng, (uint32_t)from->n);
        k->row[n] = (struct step_row){k->ids + used, reservoir_read(from, r, k->ids + used),
                                      from->label[r]};
        used += k->row[n].length;
    }
    return n;
}

/* Rows that learned nothing round to themselves. */
static void round_tables(struct candidate *k) {
    size_t C = k->c.width;

    ckpt_round(ckpt_round_type(k->types.embed, true, C), k->c.vocab, C, k->w.embed, k->w.embed);
    if (k->w.ngram)
        ckpt_round(ckpt_round_type(k->types.ngram, true, C), k->c.ngram_rows, C, k->w.ngram,
                   k->w.ngram);
}

bool candidate_step(struct candidate *k, const struct reservoir *feedback,
                    const struct reservoir *rehearsal) {
    struct step_result result;
    double rate;

    if (k->steps >= k->planned)
        return false;
    rate = sched_factor(SCHED_LINEAR, k->steps, k->planned / WARMUP, k->planned);
    step_run_rows(k->step, k->row, draw(k, feedback, rehearsal), rate, &result);
    k->steps++;
    if (k->steps == k->planned)
        round_tables(k);
    return true;
}
