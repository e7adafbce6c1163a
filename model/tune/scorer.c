#include "model/tune/scorer.h"

#include "model/net/label.h"

#define TOKENS 2048u /* of one forward pass, or of one row if that may be longer */

static size_t tokens(uint32_t max_length) {
    return max_length > TOKENS ? max_length : TOKENS;
}

size_t scorer_bytes(const struct net_config *c, uint32_t max_length) {
    return net_scratch_bytes(c, tokens(max_length), SCORER_ROWS) +
           arena_block(tokens(max_length) * sizeof(uint32_t)) +
           arena_block(SCORER_ROWS * c->labels * sizeof(real));
}

diffuse_err scorer_init(struct scorer *s, struct arena *arena, const struct net_config *c,
                        uint32_t max_length) {
    diffuse_err e;

    *s = (struct scorer){.max_length = max_length, .tokens = tokens(max_length)};
    if ((e = net_scratch_new(arena, c, tokens(max_length), SCORER_ROWS, &s->scratch)))
        return e;
    s->ids = arena_alloc(arena, tokens(max_length) * sizeof *s->ids);
    s->logits = arena_alloc(arena, SCORER_ROWS * c->labels * sizeof *s->logits);
    return s->ids && s->logits ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

/* logits of ids(n). */
static void forward(struct scorer *s, const struct net_config *c, const struct net_weights *w,
                    const uint32_t *ids, uint32_t n) {
    const uint32_t start[2] = {0, n > s->max_length ? s->max_length : n};
    const struct net_batch batch = {ids, start, 1};

    net_forward(c, w, s->scratch, &batch, s->logits);
}

static uint32_t largest(const real *logits, uint32_t labels) {
    uint32_t best = 0;

    for (uint32_t i = 1; i < labels; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

uint32_t scorer_row(struct scorer *s, const struct model *m, const uint32_t *ids, uint32_t n,
                    double *ret_confidence) {
    uint32_t label;

    forward(s, &m->config, m->weights, ids, n);
    label = label_softmax(s->logits, m->config.labels, m->temperature, s->logits);
    *ret_confidence = (double)s->logits[label];
    return label;
}

uint32_t scorer_label(struct scorer *s, const struct net_config *c, const struct net_weights *w,
                      const uint32_t *ids, uint32_t n) {
    forward(s, c, w, ids, n);
    return largest(s->logits, c->labels);
}

/* Rows from `from` on, as many as fit: at least one. */
static uint32_t lay(struct scorer *s, const struct reservoir *rows, size_t from) {
    uint32_t n = 0;

    s->start[0] = 0;
    for (;
         n < SCORER_ROWS && from + n < rows->n && s->start[n] + rows->length[from + n] <= s->tokens;
         n++)
        s->start[n + 1] = s->start[n] + reservoir_read(rows, from + n, s->ids + s->start[n]);
    return n;
}

static struct scorer_mark mark(real *logits, uint32_t labels, real temperature, uint32_t label) {
    uint32_t said = label_softmax(logits, labels, temperature, logits);

    return (struct scorer_mark){said == label, label < labels ? logits[label] : 0};
}

void scorer_rows(struct scorer *s, const struct net_config *c, const struct net_weights *w,
                 real temperature, const struct reservoir *rows, struct scorer_mark *marks) {
    for (size_t from = 0, n; from < rows->n; from += n) {
        struct net_batch batch = {s->ids, s->start, lay(s, rows, from)};

        n = batch.n;
        net_forward(c, w, s->scratch, &batch, s->logits);
        for (size_t i = 0; i < n; i++)
            marks[from + i] =
                mark(s->logits + i * c->labels, c->labels, temperature, rows->label[from + i]);
    }
}
