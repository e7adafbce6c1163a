#include "model/train/eval/quality.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 2048u
/* A slot: truth * labels + given above (24 bits, for 4096 labels), the count below. */
#define COUNT_BITS 40u
#define COUNT_MASK ((1ull << COUNT_BITS) - 1)

static uint64_t slot_key(uint64_t slot) {
    return slot >> COUNT_BITS;
}

/* Where the pair is, or the empty slot where it belongs. */
static size_t slot_find(const uint64_t *slot, size_t slots, uint64_t key) {
    size_t at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (slots - 1);

    while (slot[at] && slot_key(slot[at]) != key)
        at = (at + 1) & (slots - 1);
    return at;
}

static diffuse_err grow(struct quality *m) {
    size_t slots = 2 * m->slots;
    uint64_t *slot = calloc(slots, sizeof *slot);

    if (!slot)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; i < m->slots; i++)
        if (m->slot[i])
            slot[slot_find(slot, slots, slot_key(m->slot[i]))] = m->slot[i];
    free(m->slot);
    m->slot = slot;
    m->slots = slots;
    return DIFFUSE_OK;
}

static diffuse_err count_pair(struct quality *m, uint64_t key, uint64_t rows) {
    size_t at = slot_find(m->slot, m->slots, key);

    if (!m->slot[at]) {
        if (2 * (m->used + 1) > m->slots) {
            diffuse_err e = grow(m);

            if (e)
                return e;
            at = slot_find(m->slot, m->slots, key);
        }
        m->slot[at] = key << COUNT_BITS;
        m->used++;
    }
    m->slot[at] += rows;
    return DIFFUSE_OK;
}

diffuse_err quality_init(struct quality *m, uint32_t labels, double temperature) {
    *m = (struct quality){.labels = labels, .slots = SLOTS_FIRST};
    m->raw.temperature = 1;
    m->scaled.temperature = temperature;
    m->slot = calloc(m->slots, sizeof *m->slot);
    return m->slot ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

void quality_done(struct quality *m) {
    free(m->slot);
    *m = (struct quality){0};
}

/* Index of the largest; -1 when one is not finite. */
static int64_t largest(const real *logits, uint32_t labels) {
    uint32_t best = 0;

    for (uint32_t i = 0; i < labels; i++) {
        if (!isfinite(logits[i]))
            return -1;
        if (logits[i] > logits[best])
            best = i;
    }
    return best;
}

/* In double and relative to the largest logit: nothing overflows, and no loss is cut off. */
static void scale_add(struct quality_scale *s, const real *logits, uint32_t labels, int64_t best,
                      uint32_t truth) {
    double sum = 0, confidence = 1 / (double)labels, place;
    struct quality_bin *bin;

    for (uint32_t i = 0; best >= 0 && i < labels; i++)
        sum += exp(((double)logits[i] - (double)logits[best]) / s->temperature);
    if (best >= 0)
        confidence = 1 / sum;
    s->loss += best >= 0
                   ? log(sum) + ((double)logits[best] - (double)logits[truth]) / s->temperature
                   : NAN;
    place = ceil(confidence * QUALITY_BINS) - 1;
    bin = &s->bin[(size_t)fmin(fmax(place, 0), QUALITY_BINS - 1)];
    bin->rows++;
    bin->hits += (best >= 0 ? (uint32_t)best : 0) == truth;
    bin->confidence += confidence;
}

diffuse_err quality_add(struct quality *m, const real *logits, uint32_t truth) {
    int64_t best = largest(logits, m->labels);
    uint32_t given = best >= 0 ? (uint32_t)best : 0;
    diffuse_err e = count_pair(m, (uint64_t)truth * m->labels + given, 1);

    if (e)
        return e;
    m->rows++;
    m->hits += given == truth;
    scale_add(&m->raw, logits, m->labels, best, truth);
    scale_add(&m->scaled, logits, m->labels, best, truth);
    return DIFFUSE_OK;
}

static void scale_merge(struct quality_scale *s, const struct quality_scale *from) {
    s->loss += from->loss;
    for (size_t b = 0; b < QUALITY_BINS; b++) {
        s->bin[b].rows += from->bin[b].rows;
        s->bin[b].hits += from->bin[b].hits;
        s->bin[b].confidence += from->bin[b].confidence;
    }
}

diffuse_err quality_merge(struct quality *m, const struct quality *from) {
    for (size_t i = 0; i < from->slots; i++) {
        uint64_t rows = from->slot[i] & COUNT_MASK;
        diffuse_err e = rows ? count_pair(m, slot_key(from->slot[i]), rows) : DIFFUSE_OK;

        if (e)
            return e;
    }
    m->rows += from->rows;
    m->hits += from->hits;
    scale_merge(&m->raw, &from->raw);
    scale_merge(&m->scaled, &from->scaled);
    return DIFFUSE_OK;
}

uint64_t quality_count(const struct quality *m, uint32_t truth, uint32_t given) {
    return m->slot[slot_find(m->slot, m->slots, (uint64_t)truth * m->labels + given)] & COUNT_MASK;
}

double quality_accuracy(const struct quality *m) {
    return m->rows ? (double)m->hits / (double)m->rows : 0;
}

double quality_loss(const struct quality *m, const struct quality_scale *s) {
    return m->rows ? s->loss / (double)m->rows : 0;
}

double quality_ece(const struct quality *m, const struct quality_scale *s) {
    double apart = 0;

    for (size_t b = 0; b < QUALITY_BINS; b++)
        apart += fabs((double)s->bin[b].hits - s->bin[b].confidence);
    return m->rows ? apart / (double)m->rows : 0;
}

/* A pair out of its slot; false where it is empty. */
static bool slot_pair(const struct quality *m, size_t at, struct quality_pair *ret) {
    uint64_t key = slot_key(m->slot[at]);

    *ret = (struct quality_pair){(uint32_t)(key / m->labels), (uint32_t)(key % m->labels),
                                 m->slot[at] & COUNT_MASK};
    return ret->rows > 0;
}

static void class_count(struct quality_class *class, const struct quality_pair *p) {
    struct quality_class *c = &class[p->truth];

    c->support += p->rows;
    class[p->given].given += p->rows;
    if (p->truth == p->given)
        c->hits = p->rows;
    else if (p->rows > c->mistakes || (p->rows == c->mistakes && p->given < c->mistaken)) {
        c->mistaken = p->given;
        c->mistakes = p->rows;
    }
}

static double ratio(double part, uint64_t whole) {
    return whole ? part / (double)whole : 0;
}

void quality_classes(const struct quality *m, struct quality_class *ret_class) {
    struct quality_pair p;

    for (uint32_t k = 0; k < m->labels; k++)
        ret_class[k] = (struct quality_class){.mistaken = QUALITY_NONE};
    for (size_t i = 0; i < m->slots; i++)
        if (slot_pair(m, i, &p))
            class_count(ret_class, &p);
    for (uint32_t k = 0; k < m->labels; k++) {
        struct quality_class *c = &ret_class[k];

        c->precision = ratio((double)c->hits, c->given);
        c->recall = ratio((double)c->hits, c->support);
        c->f1 = ratio(2 * (double)c->hits, c->given + c->support);
    }
}

static bool occurs(const struct quality_class *c) {
    return c->support + c->given > 0;
}

double quality_macro_f1(const struct quality_class *class, uint32_t labels) {
    uint64_t n = 0;
    double sum = 0;

    for (uint32_t k = 0; k < labels; k++) {
        n += occurs(&class[k]);
        sum += class[k].f1;
    }
    return ratio(sum, n);
}

static int worse_first(const void *a, const void *b, void *arg) {
    const struct quality_class *class = arg;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;

    if (class[i].f1 < class[k].f1 || class[i].f1 > class[k].f1)
        return class[i].f1 < class[k].f1 ? -1 : 1;
    if (class[i].support != class[k].support)
        return class[i].support > class[k].support ? -1 : 1;
    return i < k ? -1 : 1;
}

uint32_t quality_worst_first(const struct quality_class *class, uint32_t labels,
                             uint32_t *ret_order) {
    uint32_t n = 0;

    for (uint32_t k = 0; k < labels; k++)
        if (occurs(&class[k]))
            ret_order[n++] = k;
    qsort_r(ret_order, n, sizeof *ret_order, worse_first, (void *)(uintptr_t) class);
    return n;
}

static bool before(const struct quality_pair *a, const struct quality_pair *b) {
    if (a->rows != b->rows)
        return a->rows > b->rows;
    return a->truth != b->truth ? a->truth < b->truth : a->given < b->given;
}

size_t quality_mistakes(const struct quality *m, struct quality_pair *ret_pair, size_t max) {
    struct quality_pair p;
    size_t n = 0, at;

    for (size_t i = 0; i < m->slots; i++) {
        if (!slot_pair(m, i, &p) || p.truth == p.given)
            continue;
        for (at = n; at > 0 && before(&p, &ret_pair[at - 1]); at--)
            if (at < max)
                ret_pair[at] = ret_pair[at - 1];
        if (at < max)
            ret_pair[at] = p;
        n += n < max;
    }
    return n;
}
