#include "model/text/merge.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Two neighbouring symbols. */
struct pair {
    uint32_t left, right;
    uint64_t count;  /* over the corpus, as the words are now */
    uint64_t queued; /* count it has in the heap; 0: not there */
    uint32_t seen;   /* newest of its sightings, or NONE */
};

/* A word that the pair was in, maybe is no more. */
struct sighting {
    uint32_t word;
    uint32_t next;
};

struct candidate {
    uint64_t count;
    uint32_t pair;
};

struct merge {
    struct merge_words *words;
    struct pair *pairs;
    struct sighting *sightings;
    struct candidate *heap; /* commonest first */
    uint32_t *slots;        /* pair by its symbols, or NONE; (mask + 1), at most half taken */
    uint32_t n_pairs, cap_pairs, n_sightings, cap_sightings, mask;
    size_t n_heap, cap_heap;
    uint64_t min_count;
};

static uint32_t slot_of(const struct merge *m, uint32_t left, uint32_t right) {
    uint64_t key = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)((key ^ key >> 29) * 0xbf58476d1ce4e5b9u >> 32) & m->mask;

    for (; m->slots[at] != NONE; at = (at + 1) & m->mask)
        if (m->pairs[m->slots[at]].left == left && m->pairs[m->slots[at]].right == right)
            break;
    return at;
}

static diffuse_err grow_pairs(struct merge *m) {
    uint32_t cap = m->cap_pairs ? 2 * m->cap_pairs : 1 << 12;
    struct pair *pairs = realloc(m->pairs, cap * sizeof *pairs);
    uint32_t *slots;

    if (!pairs)
        return DIFFUSE_NOMEM;
    m->pairs = pairs;
    slots = realloc(m->slots, 2 * (size_t)cap * sizeof *slots);
    if (!slots)
        return DIFFUSE_NOMEM;
    m->slots = slots;
    m->cap_pairs = cap;
    m->mask = 2 * cap - 1;
    memset(slots, 0xff, 2 * (size_t)cap * sizeof *slots);
    for (uint32_t i = 0; i < m->n_pairs; i++)
        slots[slot_of(m, pairs[i].left, pairs[i].right)] = i;
    return DIFFUSE_OK;
}

static diffuse_err pair_of(struct merge *m, uint32_t left, uint32_t right, uint32_t *ret_pair) {
    uint32_t at = slot_of(m, left, right);

    if (m->slots[at] == NONE) {
        if (m->n_pairs == m->cap_pairs) {
            diffuse_err e = grow_pairs(m);

            if (e)
                return e;
            at = slot_of(m, left, right);
        }
        m->pairs[m->n_pairs] = (struct pair){.left = left, .right = right, .seen = NONE};
        m->slots[at] = m->n_pairs++;
    }
    *ret_pair = m->slots[at];
    return DIFFUSE_OK;
}

static bool comes_first(const struct merge *m, struct candidate a, struct candidate b) {
    const struct pair *x = &m->pairs[a.pair], *y = &m->pairs[b.pair];

    if (a.count != b.count)
        return a.count > b.count;
    return x->left != y->left ? x->left < y->left : x->right < y->right;
}

static diffuse_err heap_push(struct merge *m, uint32_t pair) {
    struct candidate new = {m->pairs[pair].count, pair};
    size_t at = m->n_heap;

    if (m->n_heap == m->cap_heap) {
        size_t cap = m->cap_heap ? 2 * m->cap_heap : 1 << 12;
        struct candidate *heap = realloc(m->heap, cap * sizeof *heap);

        if (!heap)
            return DIFFUSE_NOMEM;
        m->heap = heap;
        m->cap_heap = cap;
    }
    m->pairs[pair].queued = new.count;
    for (m->n_heap++; at > 0 && comes_first(m, new, m->heap[(at - 1) / 2]); at = (at - 1) / 2)
        m->heap[at] = m->heap[(at - 1) / 2];
    m->heap[at] = new;
    return DIFFUSE_OK;
}

static struct candidate heap_pop(struct merge *m) {
    struct candidate top = m->heap[0], last = m->heap[--m->n_heap];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < m->n_heap) {
        if (child + 1 < m->n_heap && comes_first(m, m->heap[child + 1], m->heap[child]))
            child++;
        if (!comes_first(m, m->heap[child], last))
            break;
        m->heap[at] = m->heap[child];
        at = child;
    }
    m->heap[at] = last;
    return top;
}

static diffuse_err add_sighting(struct merge *m, struct pair *p, uint32_t word) {
    if (p->seen != NONE && m->sightings[p->seen].word == word)
        return DIFFUSE_OK;
    if (m->n_sightings == m->cap_sightings) {
        uint32_t cap = m->cap_sightings ? 2 * m->cap_sightings : 1 << 12;
        struct sighting *sightings = realloc(m->sightings, cap * sizeof *sightings);

        if (!sightings)
            return DIFFUSE_NOMEM;
        m->sightings = sightings;
        m->cap_sightings = cap;
    }
    m->sightings[m->n_sightings] = (struct sighting){word, p->seen};
    p->seen = m->n_sightings++;
    return DIFFUSE_OK;
}

/* Count the word's pairs; of those with symbol in them (NONE: all), note the word. */
static diffuse_err count_in(struct merge *m, uint32_t word, uint32_t symbol) {
    const struct merge_word *w = &m->words->words[word];
    const uint32_t *s = m->words->symbols + w->start;
    diffuse_err e = DIFFUSE_OK;

    for (uint32_t i = 0; !e && i + 1 < w->len; i++) {
        uint32_t pair;

        if ((e = pair_of(m, s[i], s[i + 1], &pair)))
            break;
        m->pairs[pair].count += w->count;
        if (symbol == NONE || s[i] == symbol || s[i + 1] == symbol)
            e = add_sighting(m, &m->pairs[pair], word);
    }
    return e;
}

static void count_out(struct merge *m, uint32_t word) {
    const struct merge_word *w = &m->words->words[word];
    const uint32_t *s = m->words->symbols + w->start;

    for (uint32_t i = 0; i + 1 < w->len; i++)
        m->pairs[m->slots[slot_of(m, s[i], s[i + 1])]].count -= w->count;
}

/* Put the pairs of the word that hold symbol into the heap, where they have become commoner. */
static diffuse_err queue_pairs(struct merge *m, uint32_t word, uint32_t symbol) {
    const struct merge_word *w = &m->words->words[word];
    const uint32_t *s = m->words->symbols + w->start;
    diffuse_err e = DIFFUSE_OK;

    for (uint32_t i = 0; !e && i + 1 < w->len; i++) {
        uint32_t pair;

        if (s[i] != symbol && s[i + 1] != symbol)
            continue;
        pair = m->slots[slot_of(m, s[i], s[i + 1])];
        if (m->pairs[pair].count >= m->min_count && m->pairs[pair].count > m->pairs[pair].queued)
            e = heap_push(m, pair);
    }
    return e;
}

static void rewrite(struct merge *m, uint32_t word, uint32_t left, uint32_t right,
                    uint32_t symbol) {
    struct merge_word *w = &m->words->words[word];
    uint32_t *s = m->words->symbols + w->start, kept = 0;

    for (uint32_t i = 0; i < w->len; i++) {
        if (i + 1 < w->len && s[i] == left && s[i + 1] == right) {
            s[kept++] = symbol;
            i++;
        } else {
            s[kept++] = s[i];
        }
    }
    w->len = kept;
}

static bool holds(const struct merge *m, uint32_t word, uint32_t left, uint32_t right) {
    const struct merge_word *w = &m->words->words[word];
    const uint32_t *s = m->words->symbols + w->start;

    for (uint32_t i = 0; i + 1 < w->len; i++)
        if (s[i] == left && s[i + 1] == right)
            return true;
    return false;
}

/* Join the pair in every word that holds it. */
static diffuse_err apply(struct merge *m, uint32_t pair, uint32_t symbol) {
    uint32_t left = m->pairs[pair].left, right = m->pairs[pair].right;
    uint32_t first = m->pairs[pair].seen;
    diffuse_err e;

    m->pairs[pair].seen = NONE;
    for (uint32_t i = first; i != NONE; i = m->sightings[i].next) {
        uint32_t word = m->sightings[i].word;

        if (!holds(m, word, left, right))
            continue;
        count_out(m, word);
        rewrite(m, word, left, right, symbol);
        if ((e = count_in(m, word, symbol)))
            return e;
    }
    for (uint32_t i = first; i != NONE; i = m->sightings[i].next)
        if ((e = queue_pairs(m, m->sightings[i].word, symbol)))
            return e;
    return DIFFUSE_OK;
}

static diffuse_err run(struct merge *m, merge_join *join, void *user) {
    diffuse_err e = DIFFUSE_OK;

    while (!e && m->n_heap > 0) {
        struct candidate top = heap_pop(m);
        struct pair *p = &m->pairs[top.pair];
        uint32_t symbol;
        bool more;

        p->queued = 0;
        if (top.count != p->count) { /* it has become rarer since it was queued */
            if (p->count >= m->min_count)
                e = heap_push(m, top.pair);
            continue;
        }
        if ((e = join(user, p->left, p->right, &symbol, &more)) || !more)
            break;
        e = apply(m, top.pair, symbol);
    }
    return e;
}

diffuse_err merge_run(struct merge_words *words, uint64_t min_count, merge_join *join, void *user) {
    struct merge m = {.words = words, .min_count = min_count > 0 ? min_count : 1};
    diffuse_err e = grow_pairs(&m);

    for (uint32_t i = 0; !e && i < words->n; i++)
        e = count_in(&m, i, NONE);
    for (uint32_t i = 0; !e && i < m.n_pairs; i++)
        if (m.pairs[i].count >= m.min_count)
            e = heap_push(&m, i);
    if (!e)
        e = run(&m, join, user);
    free(m.pairs);
    free(m.sightings);
    free(m.heap);
    free(m.slots);
    return e;
}
