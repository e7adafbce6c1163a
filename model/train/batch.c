#include "model/train/batch.h"

#include <assert.h>
#include <string.h>

size_t batch_bytes(size_t max_seqs) {
    return 2 * arena_block((max_seqs + 1) * sizeof(uint32_t)) + ARENA_ALIGN;
}

size_t batch_bytes_each(void) {
    return sizeof(uint32_t);
}

diffuse_err batch_init(struct batch *b, struct arena *arena, size_t max_tokens, size_t max_seqs) {
    *b = (struct batch){.max_tokens = max_tokens, .max_seqs = max_seqs};
    b->ids = arena_alloc(arena, max_tokens * sizeof *b->ids);
    b->start = arena_alloc(arena, (max_seqs + 1) * sizeof *b->start);
    b->truth = arena_alloc(arena, (max_seqs + 1) * sizeof *b->truth);
    return b->ids && b->start && b->truth ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

/* Leave words out of ids(n), in place; at least one stays. Returns how many stay. */
static uint32_t leave_out(uint32_t *ids, uint32_t n, double share, struct rng *rng) {
    uint32_t kept = 0, any;

    if (share <= 0)
        return n;
    any = ids[rng_below(rng, n)];
    for (uint32_t i = 0; i < n; i++)
        if (rng_unit(rng) >= share)
            ids[kept++] = ids[i];
    if (kept == 0)
        ids[kept++] = any;
    return kept;
}

/* Sequence q of the piece, a row of n tokens, lies at ids + at. */
static uint32_t end_sequence(struct batch *b, uint32_t q, uint32_t at, uint32_t n,
                             double word_dropout, struct rng *rng) {
    b->start[q] = at;
    return at + leave_out(b->ids + at, n, word_dropout, rng);
}

diffuse_err batch_lay(struct batch *b, const struct rows *rows, const size_t *pick, size_t n,
                      double word_dropout, struct rng *rng, size_t *ret_taken, struct reason *why) {
    uint32_t at = 0, q = 0;
    size_t taken = 0;

    for (; taken < n && q < b->max_seqs; taken++, q++) {
        uint32_t length, label;
        diffuse_err e = rows_get(rows, pick[taken], &length, &label, why);

        if (e)
            return e;
        if (taken > 0 && at + (size_t)length > b->max_tokens)
            break;
        if ((e = rows_read(rows, pick[taken], b->ids + at, &length, &b->truth[q], why)))
            return e;
        at = end_sequence(b, q, at, length, word_dropout, rng);
    }
    b->start[q] = at;
    b->net = (struct net_batch){b->ids, b->start, q};
    *ret_taken = taken;
    return DIFFUSE_OK;
}

void batch_begin(struct batch *b) {
    b->start[0] = 0;
    b->net = (struct net_batch){b->ids, b->start, 0};
}

void batch_lay_row(struct batch *b, const uint32_t *ids, uint32_t length, uint32_t label,
                   double word_dropout, struct rng *rng) {
    uint32_t q = b->net.n++, at = b->start[q];

    assert(q < b->max_seqs && at + (size_t)length <= b->max_tokens);
    memcpy(b->ids + at, ids, length * sizeof *ids);
    b->truth[q] = label;
    b->start[q + 1] = end_sequence(b, q, at, length, word_dropout, rng);
}
