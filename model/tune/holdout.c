#include "model/tune/holdout.h"

#include "model/text/hash.h"

static uint64_t add(uint64_t h, uint64_t number, unsigned bits) {
    for (unsigned shift = 0; shift < bits; shift += 8)
        h = hash_add(h, (uint8_t)(number >> shift));
    return h;
}

static uint64_t add_ids(uint64_t h, const uint32_t *ids, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        h = add(h, ids[i], 32);
    return h;
}

static bool drawn(uint64_t h, unsigned one_in) {
    return hash_end(h) >> 32 < (UINT64_C(1) << 32) / one_in;
}

bool holdout_feedback(const char *stream, size_t len, uint64_t seq, const uint32_t *ids,
                      uint32_t n) {
    uint64_t h = HASH_START;

    for (size_t i = 0; i < len; i++)
        h = hash_add(h, (uint8_t)stream[i]);
    return drawn(add_ids(add(h, seq, 64), ids, n), HOLDOUT_FEEDBACK);
}

bool holdout_rehearsal(const uint32_t *ids, uint32_t n) {
    return drawn(add_ids(HASH_START, ids, n), HOLDOUT_REHEARSAL);
}
